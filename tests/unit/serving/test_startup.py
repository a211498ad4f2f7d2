"""What a start of the server does, and what it leaves until it is needed."""

from pathlib import Path

from alembic.script import ScriptDirectory

from chatapp.config import ROOT
from chatapp.storage.schema import newest_revision
from tests.harness.programs import run_program


def test_the_newest_revision_is_the_one_that_alembic_upgrades_to() -> None:
    assert [newest_revision()] == ScriptDirectory(str(ROOT / "migrations")).get_heads()


def test_a_server_imports_no_library_that_its_first_page_does_not_need(tmp_path: Path) -> None:
    libraries = {"alembic", "dns", "fpdf", "h11", "ijson", "markdown_it", "openai", "psycopg", "pygments", "redis"}
    libraries |= {"requests", "rich", "zxcvbn"}
    done = run_program(
        f"""
import os, sys
os.environ["CHATAPP_DATA_DIR"] = {str(tmp_path)!r}
import wsgi
print(sorted({libraries} & set(sys.modules)))
"""
    )
    assert done.stdout == "[]\n", done.stderr
