"""The SQLite library: what it can do, and encrypted files."""

from contextlib import closing
from pathlib import Path

import pytest

from chatapp import sqlite

KEY, OTHER_KEY = b"k" * 32, b"o" * 32


def test_the_library_has_full_text_search_whose_index_stores_no_text_and_allows_deletions() -> None:
    with closing(sqlite.connect(":memory:")) as database:
        database.execute("CREATE VIRTUAL TABLE words USING fts5(content, content='', contentless_delete=1)")
        database.execute("INSERT INTO words (rowid, content) VALUES (1, 'good tea'), (2, 'good coffee')")
        database.execute("DELETE FROM words WHERE rowid = 1")
        assert database.execute("SELECT rowid FROM words WHERE words MATCH 'good'").fetchall() == [(2,)]


def test_a_file_with_a_key_can_be_opened_with_this_key_only(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "data.sqlite3"
    with closing(sqlite.connect(path, KEY)) as database, database:
        database.execute("CREATE TABLE notes (text)")
        database.execute("INSERT INTO notes VALUES ('buy tea')")
    content = path.read_bytes()
    assert b"notes" not in content
    assert b"buy tea" not in content
    assert not sqlite.is_plain(path)
    for key in (None, OTHER_KEY):
        with closing(sqlite.connect(path, key)) as database, pytest.raises(sqlite.DatabaseError) as raised:
            database.execute("SELECT * FROM notes")
        assert raised.value.sqlite_errorcode == sqlite.NOT_A_DATABASE
        assert OTHER_KEY.hex() not in str(raised.value)
    assert path.read_bytes() == content
    with closing(sqlite.connect(path, KEY)) as database:
        assert database.execute("SELECT * FROM notes").fetchall() == [("buy tea",)]
    assert capfd.readouterr().err == "", "the library prints nothing"


def test_a_file_that_is_not_encrypted_is_not_opened_with_a_key(tmp_path: Path) -> None:
    path = tmp_path / "data.sqlite3"
    with closing(sqlite.connect(path)) as database, database:
        database.execute("CREATE TABLE notes (text)")
    content = path.read_bytes()
    assert sqlite.is_plain(path)
    with closing(sqlite.connect(path, KEY)) as database, pytest.raises(sqlite.DatabaseError):
        database.execute("CREATE TABLE other (text)")
    assert path.read_bytes() == content
