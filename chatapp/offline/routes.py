"""The manifest and the service worker of the browser, and the page that it shows without a connection.

None of them has data of the installation: they are public, so that browsers can fetch them without a login session.
"""

import json

from flask import Blueprint, Response, render_template, url_for

from chatapp.web.static_files import read_static_file, static_url

blueprint = Blueprint("offline", __name__)

ICON_SIZE = 512
"""Width and height of the bitmap icon in pixels."""

BRAND_COLOR = "#2f6b5e"

OFFLINE_FILES = ("css/app.css", "js/app.js", "js/offline.js", "icon.svg")
"""What the pages that are shown without a connection need."""


@blueprint.get("/manifest.webmanifest")
def manifest() -> Response:
    """Return what browsers need to install chatapp: https://www.w3.org/TR/appmanifest/."""
    content = {
        "id": "/",
        "name": "chatapp",
        "short_name": "chatapp",
        "start_url": url_for("general.show"),
        "scope": "/",
        "display": "standalone",
        "theme_color": BRAND_COLOR,
        "background_color": BRAND_COLOR,
        "icons": [
            {"src": static_url("icon.svg"), "type": "image/svg+xml", "sizes": "any"},
            {
                "src": static_url("icon-512.png"),
                "type": "image/png",
                "sizes": f"{ICON_SIZE}x{ICON_SIZE}",
                "purpose": "any maskable",
            },
        ],
    }
    return Response(json.dumps(content), mimetype="application/manifest+json")


@blueprint.get("/service-worker.js")
def service_worker() -> Response:
    """Return the service worker, after the addresses of the files that it stores when it is installed.

    A browser installs it again when one of them has changed.
    """
    files = json.dumps([url_for(".show"), *map(static_url, OFFLINE_FILES)])
    script = f"self.OFFLINE_FILES = {files};\n{read_static_file('js/service_worker.js')}"
    return Response(script, mimetype="text/javascript", headers={"Cache-Control": "no-cache"})


@blueprint.get("/offline")
def show() -> str:
    """Show that there is no connection. The service worker stores this page."""
    return render_template("offline/show.html")
