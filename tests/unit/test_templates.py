"""Templates: what Jinja would ignore silently."""

from pathlib import Path

import jinja2
import pytest
from jinja2 import nodes

from chatapp.config import ROOT

FOLDER = ROOT / "templates"


@pytest.mark.parametrize("path", sorted(FOLDER.rglob("*.html")), ids=lambda path: str(path.relative_to(FOLDER)))
def test_every_imported_macro_exists(path: Path) -> None:
    environment = jinja2.Environment(autoescape=True)
    for statement in environment.parse(path.read_text()).find_all(nodes.FromImport):
        assert isinstance(statement.template, nodes.Const)
        library = environment.parse((FOLDER / statement.template.value).read_text())
        macros = {macro.name for macro in library.find_all(nodes.Macro)}
        names = {name if isinstance(name, str) else name[0] for name in statement.names}
        assert names <= macros
