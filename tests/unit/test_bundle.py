"""The bundle of browser code: `bin/bundle.mjs`."""

import gzip
import json
import os
import subprocess
import time
from pathlib import Path

import pytest

from tests.harness import ROOT
from tests.harness.browser_code import find_node

SOURCES = {
    "js/app.js": 'import { text } from "./text.js";\nimport { other } from "./other.js";\nconsole.log(text, other);\n',
    "js/text.js": 'export const text = "a text";\n',
    "js/other.js": 'export const other = "another text";\n',
    "js/api_docs.js": "console.log(window.SwaggerUIBundle);\n",
    "js/status.js": "console.log(1);\n",
    "js/offline.js": "console.log(2);\n",
    "js/service_worker.js": "console.log(3);\n",
    "css/status.css": "figure {\n  margin: 0;\n}\n",
    "css/app.css": '@import "./base.css";\n',
    "css/base.css": "body {\n  margin: 0;\n}\n",
    "css/api_docs.css": "main {\n  padding: 0;\n}\n",
    "icon.svg": "<svg/>",
    "icon-unread.svg": "<svg></svg>",
    "icon-512.png": "",
    "vendor/swagger-ui-bundle.js": "this.SwaggerUIBundle = 1;",
    "vendor/emoji.json": "[]",
}


class Project:
    """A folder with small sources, which can be bundled."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        for path, text in SOURCES.items():
            self.write(path, text)

    def write(self, path: str, text: str) -> None:
        """Write a source."""
        file = self.path(path)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def path(self, path: str) -> Path:
        """Return the path of a file in `static/`."""
        return self._folder / "static" / path

    def bundle(self) -> dict[str, str]:
        """Bundle, and return the manifest."""
        subprocess.run([find_node(), ROOT / "bin" / "bundle.mjs"], cwd=self._folder, check=True)
        manifest: dict[str, str] = json.loads(self.path("dist/manifest.json").read_text())
        return manifest


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


def test_modules_and_style_sheets_become_one_minified_and_compressed_file_each(project: Project) -> None:
    manifest = project.bundle()
    assert manifest.keys() == SOURCES.keys() - {"js/text.js", "js/other.js", "css/base.css"}
    script, styles = (project.path(manifest[source]).read_text() for source in ("js/app.js", "css/app.css"))
    assert "a text" in script
    assert "another text" in script
    assert "import" not in script
    assert styles.startswith("body{margin:0}")
    for path in manifest.values():
        assert gzip.decompress(project.path(f"{path}.gz").read_bytes()) == project.path(path).read_bytes()
        assert project.path(f"{path}.br").stat().st_size > 0
    # Not as a module, in which `this` would be undefined.
    library = "vendor/swagger-ui-bundle.js"
    assert project.path(manifest[library]).read_text() == SOURCES[library]


def test_a_module_that_is_imported_when_it_is_used_is_one_more_file(project: Project) -> None:
    project.write("js/app.js", 'import { text } from "./text.js";\nconsole.log(text);\nimport("./later.js");\n')
    project.write("js/later.js", 'console.log("later");\n')
    manifest = project.bundle()
    script = project.path(manifest["js/app.js"]).read_text()
    assert "later.js" not in script
    assert manifest["js/later.js"].removeprefix("dist/") in script
    assert project.path(manifest["js/later.js"]).read_text().startswith('console.log("later")')
    assert {path.suffixes[0] for path in project.path("dist").glob("app-*")} == {".js", ".css"}
    assert len(list(project.path("dist").glob("*.js"))) == len(
        [path for path in manifest.values() if path.endswith("js")]
    )


def test_a_changed_file_gets_another_name_and_the_former_file_stays_for_a_month(project: Project) -> None:
    first = project.bundle()
    project.write("css/base.css", "body { margin: 1px; }")
    second = project.bundle()
    assert {source for source in first if first[source] != second[source]} == {"css/app.css"}
    former = project.path(first["css/app.css"])
    assert former.exists()
    month_ago = time.time() - 31 * 24 * 3600
    for file in project.path("dist").iterdir():
        os.utime(file, (month_ago, month_ago))
    assert project.bundle() == second
    assert not former.exists()
    assert all(project.path(path).exists() for path in second.values())
