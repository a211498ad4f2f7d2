"""Whether what is stored fits the key of the settings, and the conversion of all of it to another key or to none."""

import shutil
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import IO

from chatapp import sqlite
from chatapp.backup.files import (
    SECRET_FILES,
    find_digest,
    find_sqlite_path,
    list_files,
    list_spools,
    member_name,
    remove,
)
from chatapp.config import Settings
from chatapp.encryption.files import read
from chatapp.encryption.keys import ARCHIVE, BACKUP, DATABASE, FILES, SECRETS, SPOOL, MasterKey
from chatapp.encryption.streams import (
    CHUNK_BYTES,
    Undecryptable,
    encrypting,
    is_encrypted,
    open_decrypted,
)
from chatapp.errors import Invalid

KEY_VARIABLES = "CHATAPP_DATABASE_KEY or CHATAPP_DATABASE_KEY_FILE"

ENCRYPTED_SUFFIX = ".enc"


@dataclass(frozen=True, slots=True)
class Converted:
    """How much was converted and compared."""

    rows: int
    files: int


def require_key(settings: Settings, *, only_secrets: bool = False) -> None:
    """Exit if the key of the settings is not that of the data; with `only_secrets`, not that of the secrets."""
    problem = _find_wrong_key_of_secrets(settings)
    if not only_secrets:
        problem = problem or _find_wrong_key_of_database(settings) or _find_plain_files(settings)
    if problem:
        sys.exit(f"chatapp does not start: {problem}")


def find_wrong_key(settings: Settings) -> str | None:
    """Return a sentence if the data are encrypted, and the key is missing or wrong."""
    return _find_wrong_key_of_secrets(settings) or _find_wrong_key_of_database(settings)


def _find_wrong_key_of_secrets(settings: Settings) -> str | None:
    for secret in _list_secret_files(settings):
        try:
            read(secret, settings.derive_key(SECRETS))
        except Undecryptable:
            if settings.master_key is None:
                return f"the data in {settings.data_dir} are encrypted. Set {KEY_VARIABLES}."
            return f"{KEY_VARIABLES} is not the key of the data in {settings.data_dir}."
    return None


def _find_wrong_key_of_database(settings: Settings) -> str | None:
    path = find_sqlite_path(settings)
    if path is None or _is_empty(path) or sqlite.is_plain(path):
        return None
    if settings.master_key is None:
        return f"{path} is encrypted, or is no database. Set {KEY_VARIABLES} if it is encrypted."
    try:
        with closing(sqlite.connect(f"{path.as_uri()}?mode=ro", settings.derive_key(DATABASE), uri=True)) as database:
            database.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except sqlite.DatabaseError as error:
        if error.sqlite_errorcode == sqlite.NOT_A_DATABASE:
            return f"{KEY_VARIABLES} is not the key of {path}, or the file is damaged."
    return None


def convert_installation(settings: Settings, target: MasterKey | None, folder: Path) -> Converted:
    """Write the data of the installation to the new `folder`, encrypted with another key or with none.

    All of it is compared with the original. Raises `Invalid` and `OSError`.
    """
    conversion, rows, files = Conversion(settings.master_key, target), 0, 0
    databases = [(path, folder / path.name, SPOOL) for path in list_spools(settings.data_dir)]
    path = find_sqlite_path(settings)
    if path is not None and not _is_empty(path):
        databases.append((path, folder / "database.sqlite3", DATABASE))
    for source, copy, purpose in databases:
        rows += conversion.convert_database(source, copy, purpose)
    for source in list_files(settings.data_dir):
        conversion.convert_file(source, folder / member_name(settings.data_dir, source))
        files += 1
    if settings.watermarks_path.exists():
        shutil.copyfile(settings.watermarks_path, folder / settings.watermarks_path.name)
    return Converted(rows, files)


def convert_backup(folder: Path, target: MasterKey) -> None:
    """Encrypt the files of a backup that is not encrypted. Raises `Invalid` and `OSError`."""
    conversion = Conversion(None, target)
    databases = [(path, SPOOL) for path in list_spools(folder)]
    if (folder / "database.sqlite3").exists():
        databases.append((folder / "database.sqlite3", DATABASE))
    for path, purpose in databases:
        copy = path.with_name(f"{path.name}.converted")
        conversion.convert_database(path, copy, purpose)
        copy.replace(path)
    script = folder / "database.sql"
    for path in [*list_files(folder), *([script] if script.exists() else [])]:
        copy = folder / "converted" / member_name(folder, path)
        converted = conversion.convert_file(path, copy)
        path.unlink()
        converted.replace(path.with_name(converted.name))
    remove(folder / "converted")


class Conversion:
    """Converts files one by one. A file that is not encrypted is converted to the target key too."""

    def __init__(self, source: MasterKey | None, target: MasterKey | None) -> None:
        self._source = source
        self._target = target

    def convert_database(self, path: Path, copy: Path, purpose: str) -> int:
        """Write a converted copy of a database, compare every row, and return their number. Raises `Invalid`."""
        source = None if sqlite.is_plain(path) else _derive(self._source, purpose)
        target = _derive(self._target, purpose)
        copy.touch(mode=0o600)
        try:
            uri = f"{path.as_uri()}?mode=rw"
            with closing(sqlite.connect(uri, source, uri=True, isolation_level=None)) as database:
                database.text_factory = bytes  # Also text that is not valid.
                database.execute("ATTACH DATABASE ? AS copy KEY ?", (str(copy), sqlite.quote_key(target)))
                database.execute("SELECT sqlcipher_export('copy')")
                for pragma in ("user_version", "application_id"):
                    ((value,),) = database.execute(f"PRAGMA main.{pragma}")
                    database.execute(f"PRAGMA copy.{pragma} = {value}")
                return _compare(database, path)
        except sqlite.Error as error:
            raise Invalid(f"{path} cannot be converted: {error}") from error

    def convert_file(self, path: Path, copy: Path) -> Path:
        """Write a converted copy of a file, compare it, and return its path, whose suffix may differ."""
        copy.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        purpose = _find_purpose(path)
        if purpose is None:
            shutil.copyfile(path, copy)
            return copy
        target = _derive(self._target, purpose)
        if purpose in {ARCHIVE, FILES}:
            name = copy.name.removesuffix(ENCRYPTED_SUFFIX)
            copy = copy.with_name(f"{name}{ENCRYPTED_SUFFIX}" if target else name)
        source = _derive(self._source, purpose)
        try:
            with (
                _open(path, source, purpose) as original,
                copy.open("xb") as file,
                encrypting(file, target) as encrypted,
            ):
                shutil.copyfileobj(original, encrypted, CHUNK_BYTES)
            with _open(path, source, purpose) as original, _open(copy, target, purpose) as converted:
                if any(one != other for one, other in zip_longest(_read_blocks(original), _read_blocks(converted))):
                    raise Invalid(f"The copy of {path} differs.")
        except Undecryptable as error:
            raise Invalid(f"{path} cannot be converted: {error}") from error
        return copy


def _find_purpose(path: Path) -> str | None:
    """Return the purpose of the key for a file; None if it is never encrypted."""
    if path.name in SECRET_FILES:
        return SECRETS
    if path.name == "database.sql":
        return BACKUP
    if find_digest("/".join(path.parts[-3:])):
        return FILES
    return ARCHIVE if path.suffix in {".gz", ENCRYPTED_SUFFIX} else None


def _open(path: Path, key: bytes | None, purpose: str) -> AbstractContextManager[IO[bytes]]:
    """Open a file for reading. A file of a message may look encrypted: its name says whether it is."""
    if purpose == FILES and path.suffix != ENCRYPTED_SUFFIX:
        return path.open("rb")
    return open_decrypted(path, key)


def _read_blocks(file: IO[bytes]) -> Iterator[bytes]:
    while block := file.read(CHUNK_BYTES):
        yield block


def _compare(database: sqlite.Connection, path: Path) -> int:
    """Compare the schema and every row with the attached copy, and return the number of rows. Raises `Invalid`."""
    schema = "SELECT type, name, tbl_name, sql FROM {}.sqlite_master ORDER BY type, name"
    if database.execute(schema.format("main")).fetchall() != database.execute(schema.format("copy")).fetchall():
        raise Invalid(f"The schema of the copy of {path} differs.")
    # The rows of a virtual table are those of tables that it has beside it.
    tables = database.execute(
        "SELECT name FROM main.sqlite_master WHERE type = 'table' AND sql NOT LIKE 'CREATE VIRTUAL %' ORDER BY name"
    ).fetchall()
    count = 0
    for (name,) in tables:
        table = '"' + name.decode().replace('"', '""') + '"'
        rows, copies = (database.execute(f"SELECT * FROM {each}.{table} NOT INDEXED") for each in ("main", "copy"))  # noqa: S608 - names from the schema
        for number, (row, copied) in enumerate(zip_longest(rows, copies), 1):
            if row != copied:
                raise Invalid(f"Row {number} of the table {table} in the copy of {path} differs.")
            count += 1
    return count


def _find_plain_files(settings: Settings) -> str | None:
    """Return a sentence if there is a key, and something is not encrypted."""
    if settings.master_key is None:
        return None
    database = find_sqlite_path(settings)
    databases = [*list_spools(settings.data_dir), *([database] if database else [])]
    plain = [path for path in databases if not _is_empty(path) and sqlite.is_plain(path)]
    plain += [path for path in _list_secret_files(settings) if not is_encrypted(path)]
    if not plain:
        return None
    return (
        f"{plain[0]} is not encrypted, but there is a key. Run `flask --app chatapp encrypt-database`, or remove "
        f"{KEY_VARIABLES}."
    )


def _list_secret_files(settings: Settings) -> list[Path]:
    return [path for name in SECRET_FILES if (path := settings.data_dir / name).exists()]


def _is_empty(path: Path) -> bool:
    return not path.exists() or path.stat().st_size == 0


def _derive(key: MasterKey | None, purpose: str) -> bytes | None:
    return None if key is None else key.derive(purpose)
