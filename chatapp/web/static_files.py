"""Static files: the bundle that `bin/setup` makes, or the source files themselves during development."""

import json
import sys
from functools import cache
from wsgiref.headers import Headers

from flask import Flask, current_app, url_for
from whitenoise import WhiteNoise

from chatapp.config import ROOT

STATIC = ROOT / "static"

BUNDLE = STATIC / "dist"
"""Folder of the files that `bin/bundle.mjs` makes, and of their compressed forms."""


POLICY = "default-src 'none'; frame-ancestors 'none'"
"""Content security policy of a file of the bundle, for browsers that open it by itself. Pages have their own policy."""


def init_static_files(app: Flask, *, is_serving: bool) -> None:
    """Let templates link to static files with `static_url("js/app.js")`, and serve the bundle if `is_serving`.

    Exits if it should serve a bundle that does not exist. With FLASK_DEBUG pages load the source files.
    """
    app.jinja_env.globals["static_url"] = static_url
    if is_serving and not app.debug:
        _read_manifest()
        # Flask's route serves the other files: those that were bundled after this process had started.
        app.wsgi_app = WhiteNoise(  # type: ignore[method-assign]
            app.wsgi_app,
            root=BUNDLE,
            prefix="static/dist",
            max_age=None,
            allow_all_origins=False,
            add_headers_function=_set_headers,
        )


def static_url(path: str) -> str:
    """Return the URL of a source file in `static/`: of its bundled form, or of the file itself during development."""
    return url_for("static", filename=path) if current_app.debug else f"/static/{_read_manifest()[path]}"


def read_static_file(path: str) -> str:
    """Return the text of a source file in `static/`: of its bundled form, or of the file itself during development."""
    return (STATIC / (path if current_app.debug else _read_manifest()[path])).read_text()


@cache
def _read_manifest() -> dict[str, str]:
    """Return the files of the bundle by their sources. Both are paths in `static/`."""
    try:
        manifest: dict[str, str] = json.loads((BUNDLE / "manifest.json").read_bytes())
    except FileNotFoundError:
        sys.exit("static/dist/ is missing: the browser code has not been bundled. Run bin/setup.")
    return manifest


def _set_headers(headers: Headers, _path: str, url: str) -> None:
    """Let browsers keep a file of the bundle. Its name has a hash of its content, which therefore never changes."""
    headers["Content-Security-Policy"] = POLICY
    if url.removeprefix("/static/") in _read_manifest().values():
        headers["Cache-Control"] = "public, max-age=31536000, immutable"
