"""Conversion of what is stored to another key, and what is refused because of the key."""

import gzip
from contextlib import closing
from pathlib import Path

import pytest

from chatapp import sqlite
from chatapp.backup.encryption import (
    ENCRYPTED_SUFFIX,
    Conversion,
    convert_backup,
    convert_installation,
    find_wrong_key,
    require_key,
)
from chatapp.backup.files import list_files, member_name
from chatapp.config import Settings
from chatapp.encryption.keys import ARCHIVE, DATABASE, FILES, SPOOL, MasterKey
from chatapp.encryption.streams import MAGIC, open_decrypted
from chatapp.errors import Invalid
from chatapp.files.store import FileStore

TEXT = "a2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2s="
KEY, OTHER_KEY = MasterKey.parse(TEXT), MasterKey(b"o" * 32)

STATEMENTS = (
    "PRAGMA user_version = 7",
    "CREATE TABLE users (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT UNIQUE, photo BLOB, score REAL)",
    "INSERT INTO users VALUES (5, 'ana', x'00ff', 0.1), (9, 'bob', NULL, 1e300), (12, CAST(x'ff41' AS TEXT), '', -1)",
    "DELETE FROM users WHERE id = 9",
    'CREATE TABLE "an ""odd"" name" (key TEXT PRIMARY KEY, value) WITHOUT ROWID',
    """INSERT INTO "an ""odd"" name" VALUES ('z', 1), ('a', NULL)""",
    "CREATE INDEX users_name ON users (lower(name))",
    "CREATE TABLE log (text)",
    "CREATE TRIGGER on_user AFTER INSERT ON users BEGIN INSERT INTO log VALUES (new.name); END",
    "CREATE VIRTUAL TABLE words USING fts5(content, content='', contentless_delete=1)",
    "INSERT INTO words (rowid, content) VALUES (1, 'good tea')",
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "chatapp.sqlite3"
    with closing(sqlite.connect(path)) as database, database:
        for statement in STATEMENTS:
            database.execute(statement)
    return path


def read_all(path: Path, key: MasterKey | None) -> list[object]:
    with closing(sqlite.connect(path, key.derive(DATABASE) if key else None)) as database:
        database.text_factory = bytes
        tables = [row[0].decode() for row in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        queries = ["PRAGMA user_version", "SELECT sql FROM sqlite_master ORDER BY name"]
        queries += ["SELECT rowid FROM words WHERE words MATCH 'tea'"]
        names = [table.replace('"', '""') for table in sorted(tables) if table != "words"]
        queries += [f'SELECT * FROM "{name}"' for name in names]
        return [database.execute(query).fetchall() for query in queries]


def test_a_database_is_encrypted_given_another_key_and_decrypted_with_every_row(path: Path, tmp_path: Path) -> None:
    expected, source = read_all(path, None), None
    for number, target in enumerate((KEY, OTHER_KEY, None)):
        copy = tmp_path / f"copy{number}"
        assert Conversion(source, target).convert_database(path, copy, DATABASE) >= 5
        assert sqlite.is_plain(copy) == (target is None)
        assert read_all(copy, target) == expected
        path, source = copy, target


@pytest.mark.parametrize(
    ("statement", "reason"),
    [
        ("UPDATE copy.users SET score = 0.2 WHERE id = 5", 'Row 1 of the table "users"'),
        ("DELETE FROM copy.users WHERE id = 12", 'Row 2 of the table "users"'),
        ("INSERT INTO copy.log VALUES ('more')", 'Row 1 of the table "log"'),
        ("DROP INDEX copy.users_name", "The schema"),
    ],
)
def test_a_copy_that_differs_is_refused(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, statement: str, reason: str
) -> None:
    class Connection(sqlite.Connection):
        def execute(self, sql: str, *arguments: object) -> sqlite.Cursor:
            result = super().execute(sql, *arguments)  # type: ignore[arg-type]
            if "sqlcipher_export" in sql:
                super().execute(statement)
            return result

    connect = sqlite.connect
    monkeypatch.setattr(sqlite, "connect", lambda *args, **options: connect(*args, factory=Connection, **options))
    with pytest.raises(Invalid, match=reason):
        Conversion(None, KEY).convert_database(path, tmp_path / "copy", DATABASE)


def fill(folder: Path) -> Settings:
    """Create an installation with an archive, a spool, and other files."""
    archived = folder / "archive" / "general" / "20260131T120000Z" / "000000000001-000000000002-2.jsonl.gz"
    archived.parent.mkdir(parents=True)
    archived.write_bytes(gzip.compress(b'{"content": "good tea"}\n'))
    with closing(sqlite.connect(folder / "spool-5000.sqlite3")) as spool, spool:
        spool.execute("CREATE TABLE spooled (entry)")
        spool.execute("INSERT INTO spooled VALUES ('good tea')")
    (folder / "assistants.toml").write_text("# none")
    (folder / "watermarks.bin").write_bytes(b"marks")
    settings = Settings(data_dir=folder)
    settings.secret_key()
    return settings


def test_the_files_of_an_installation_are_converted_with_the_database(path: Path, tmp_path: Path) -> None:
    settings, target = fill(path.parent), tmp_path / "target"
    target.mkdir()
    converted = convert_installation(settings, KEY, target)
    assert converted.files == 3
    assert sorted(each.name for each in target.rglob("*") if each.is_file()) == [
        "000000000001-000000000002-2.jsonl.gz.enc",
        "assistants.toml",
        "database.sqlite3",
        "secret_key",
        "spool-5000.sqlite3",
        "watermarks.bin",
    ]
    archived = next(target.rglob("*.enc"))
    assert not any(b"good tea" in each.read_bytes() for each in target.rglob("*") if each.is_file())
    with open_decrypted(archived, KEY.derive(ARCHIVE)) as file:
        assert gzip.decompress(file.read()) == b'{"content": "good tea"}\n'
    with closing(sqlite.connect(target / "spool-5000.sqlite3", KEY.derive(SPOOL))) as spool:
        assert spool.execute("SELECT entry FROM spooled").fetchall() == [("good tea",)]
    (target / "database.sqlite3").rename(target / "chatapp.sqlite3")
    encrypted = Settings(data_dir=target, database_key=TEXT)
    assert encrypted.secret_key() == settings.secret_key()
    assert find_wrong_key(encrypted) is None
    require_key(encrypted)

    archived.write_bytes(archived.read_bytes()[:-1])
    (tmp_path / "decrypted").mkdir()
    with pytest.raises(Invalid, match="another key, or is damaged"):
        convert_installation(encrypted, None, tmp_path / "decrypted")


def test_files_of_messages_are_encrypted_given_another_key_and_decrypted(path: Path, tmp_path: Path) -> None:
    contents = {"a" * 64: b"good tea", "b" * 64: MAGIC + b"which looks encrypted", "c" * 64: b""}
    names = {f"files/aa/{'a' * 64}", f"files/bb/{'b' * 64}", f"files/cc/{'c' * 64}.small"}
    folder = path.parent / "files"
    for name in names:
        stored = path.parent / name
        stored.parent.mkdir(parents=True)
        stored.write_bytes(contents[stored.name[:64]])
    (folder / "aa" / ".draft").touch()
    (folder / "sweep.lock").touch()
    source = path.parent
    key: MasterKey | None = None
    for target_key in (KEY, OTHER_KEY, None):
        target = tmp_path / f"target-{target_key.derive(FILES).hex()[:8] if target_key else 'plain'}"
        for stored in list_files(source):
            if stored.is_relative_to(source / "files"):
                Conversion(key, target_key).convert_file(stored, target / member_name(source, stored))
        suffix = ENCRYPTED_SUFFIX if target_key else ""
        converted = {member_name(target, each) for each in target.rglob("*") if each.is_file()}
        assert converted == {name + suffix for name in names}
        store = FileStore(target / "files", target_key.derive(FILES) if target_key else None)
        for digest, content in contents.items():
            file = store.open(digest, "small" if digest.startswith("c") else "")
            assert file.read(0, 100) == content
            file.close()
        source, key = target, target_key


def test_a_backup_without_encryption_is_encrypted_in_place(path: Path) -> None:
    folder = path.parent
    fill(folder)
    path.rename(folder / "database.sqlite3")
    (folder / "database.sql").write_text("SELECT 'good tea';")
    convert_backup(folder, KEY)
    assert not any(b"good tea" in each.read_bytes() for each in folder.rglob("*") if each.is_file())
    assert not (folder / "converted").exists()
    assert [each.suffix for each in folder.rglob("0*")] == [".enc"]
    assert read_all(folder / "database.sqlite3", KEY)


def test_a_key_that_is_missing_wrong_or_too_much_ends_the_start_with_one_line(path: Path, tmp_path: Path) -> None:
    folder = path.parent
    Conversion(None, KEY).convert_database(path, tmp_path / "copy", DATABASE)
    plain, sealed = path.read_bytes(), (tmp_path / "copy").read_bytes()
    other = "b29vb29vb29vb29vb29vb29vb29vb29vb29vb29vb28="
    for content, key, reason in [
        (plain, TEXT, "is not encrypted, but there is a key. Run `flask --app chatapp encrypt-database`"),
        (sealed, "", "is encrypted, or is no database. Set CHATAPP_DATABASE_KEY"),
        (sealed, other, "is not the key of"),
        (b"no database" * 100, TEXT, "is not the key of"),
    ]:
        path.write_bytes(content)
        with pytest.raises(SystemExit, match=reason) as raised:
            require_key(Settings(data_dir=folder, database_key=key))
        assert "\n" not in str(raised.value)
        assert path.read_bytes() == content
    path.write_bytes(sealed)
    require_key(Settings(data_dir=folder, database_key=TEXT))
    path.unlink()
    require_key(Settings(data_dir=folder, database_key=TEXT))  # It will be created.

    Settings(data_dir=folder, database_key=TEXT).secret_key()
    for key, reason in [("", "are encrypted. Set CHATAPP_DATABASE_KEY"), (other, "is not the key of the data")]:
        with pytest.raises(SystemExit, match=reason):
            require_key(Settings(data_dir=folder, database_key=key), only_secrets=True)
