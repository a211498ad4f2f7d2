"""Copies of databases that are damaged, empty or not chatapp's."""

from contextlib import closing
from pathlib import Path

import pytest

from chatapp import sqlite
from chatapp.backup.databases import check_sqlite, copy_sqlite, has_users, list_digests, read_revision
from chatapp.config import Settings
from chatapp.errors import Invalid
from tests.harness.ports import free_port


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path, database_url="")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """The path of the database of these settings. There is no file yet."""
    return tmp_path / "chatapp.sqlite3"


def execute(path: Path, *statements: str) -> None:
    with closing(sqlite.connect(path)) as database, database:
        for statement in statements:
            database.execute(statement)


def test_a_file_that_is_no_database_is_damaged(path: Path, settings: Settings) -> None:
    path.write_bytes(b"no database, but long enough for a header" * 100)
    with pytest.raises(Invalid, match="is damaged"):
        check_sqlite(path)
    with pytest.raises(Invalid, match="cannot be copied"):
        copy_sqlite(path, path.with_name("copy"))
    with pytest.raises(Invalid, match="no database of chatapp"):
        read_revision(settings, path)
    assert has_users(settings), "it is not replaced without `--force`"


def test_a_database_without_a_schema_is_refused(path: Path, settings: Settings) -> None:
    execute(path, "CREATE TABLE alembic_version (version_num TEXT)")
    check_sqlite(path)
    with pytest.raises(Invalid, match="flask db upgrade"):
        read_revision(settings, path)
    execute(path, "INSERT INTO alembic_version VALUES ('0001')")
    assert read_revision(settings, path) == "0001"


def test_an_installation_has_users_once_there_is_an_account(path: Path, settings: Settings) -> None:
    assert not has_users(settings)
    execute(path, "CREATE TABLE other (id INTEGER)")
    assert not has_users(settings)
    execute(path, "CREATE TABLE users (id INTEGER)")
    assert not has_users(settings)
    execute(path, "INSERT INTO users VALUES (1)")
    assert has_users(settings)


def test_a_database_that_does_not_respond_is_reported(tmp_path: Path) -> None:
    url = f"postgresql://postgres@127.0.0.1:{free_port()}/chatapp"
    settings = Settings(data_dir=tmp_path, database_url=url)
    with pytest.raises(Invalid, match="does not respond"):
        has_users(settings)
    with pytest.raises(Invalid, match="no database of chatapp"):
        read_revision(settings, tmp_path)


def test_the_digests_of_an_older_schema_are_listed(path: Path, settings: Settings) -> None:
    execute(path, "CREATE TABLE attachments (digest)", "INSERT INTO attachments VALUES ('a'), ('a'), (NULL)")
    execute(path, "CREATE TABLE users (username)", "INSERT INTO users VALUES ('ana')")
    assert list_digests(settings, path) == {"a"}


def test_digests_that_cannot_be_read_are_not_left_out(path: Path, settings: Settings) -> None:
    broken = "CREATE VIEW attachments AS SELECT json_extract(name, '$') AS digest FROM names"
    execute(path, "CREATE TABLE names (name)", "INSERT INTO names VALUES ('{')", broken)
    with pytest.raises(Invalid, match="cannot be listed: malformed JSON"):
        list_digests(settings, path)
