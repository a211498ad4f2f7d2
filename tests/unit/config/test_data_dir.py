"""The data folder: who can access it."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from structlog.testing import capture_logs

from chatapp.config import data_dir
from chatapp.config.data_dir import prepare_data_dir


@pytest.fixture(autouse=True)
def permissive_umask(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(data_dir, "log", structlog.get_logger())
    umask = os.umask(0)
    yield
    os.umask(umask)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


def test_files_and_folders_that_others_can_access_are_repaired_and_named(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    (folder / "archives").mkdir(parents=True)
    for name in ("chatapp.sqlite3", "chatapp.sqlite3-wal", "archives/old.sqlite3"):
        (folder / name).touch()
    (folder / "secret_key").touch(mode=0o600)
    with capture_logs() as logs:
        prepare_data_dir(folder)
    assert {mode(path) for path in (folder, folder / "archives")} == {0o700}
    assert {mode(path) for path in folder.rglob("*") if path.is_file()} == {0o600}
    (entry,) = logs
    assert sorted(entry["files"]) == [".", "archives", "archives/old.sqlite3", "chatapp.sqlite3", "chatapp.sqlite3-wal"]
    with capture_logs() as logs:
        prepare_data_dir(folder)
    assert logs == []


def test_a_new_folder_and_new_files_in_it_are_private(tmp_path: Path) -> None:
    prepare_data_dir(tmp_path / "parent" / "data")
    (tmp_path / "parent" / "data" / "file").touch()
    assert [mode(path) for path in sorted((tmp_path / "parent").rglob("*"))] == [0o700, 0o600]


def test_the_target_of_a_link_is_left_alone(tmp_path: Path) -> None:
    outside = tmp_path / "assistants.toml"
    outside.touch()
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "assistants.toml").symlink_to(outside)
    prepare_data_dir(tmp_path / "data")
    assert mode(outside) == 0o666


def test_a_folder_that_stays_accessible_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "chmod", lambda _path, _mode: None)  # As on a file system without permissions.
    (tmp_path / "data").mkdir()
    with pytest.raises(SystemExit, match="other users can access the data folder"):
        prepare_data_dir(tmp_path / "data")


def test_a_file_of_another_user_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "assistants.toml").touch()
    tmp_path.chmod(0o700)

    def refuse(_path: Path, _mode: int) -> None:
        raise PermissionError

    monkeypatch.setattr(Path, "chmod", refuse)
    with capture_logs() as logs:
        prepare_data_dir(tmp_path)
    assert [entry["files"] for entry in logs] == [["assistants.toml"]]
