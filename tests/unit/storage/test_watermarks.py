import stat
from pathlib import Path

import pytest

from chatapp.storage.watermarks import DELETED, Watermarks


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "watermarks.bin"


@pytest.fixture
def watermarks(path: Path) -> Watermarks:
    watermarks = Watermarks(path)
    watermarks.replace("first", {1: 5})
    return watermarks


def test_nothing_is_recorded_until_the_file_has_a_label(path: Path) -> None:
    watermarks = Watermarks(path)
    watermarks.record({1: 5})
    assert watermarks.read() is None
    assert watermarks.label is None
    assert not path.exists()


def test_marks_rise_and_never_fall(watermarks: Watermarks) -> None:
    watermarks.record({1: 7, 3: 2})
    watermarks.record({1: 6})
    assert watermarks.read() == ("first", {1: 7, 3: 2})


def test_another_process_reads_and_raises_the_same_marks(watermarks: Watermarks, path: Path) -> None:
    other = Watermarks(path)
    watermarks.record({1: 6, 5_000: 1})
    assert other.read() == ("first", {1: 6, 5_000: 1})
    other.record({5_000: 2, 70_000: 4})
    watermarks.record({70_000: 3})
    assert watermarks.read() == ("first", {1: 6, 5_000: 2, 70_000: 4})


def test_a_deleted_key_stays_deleted(watermarks: Watermarks) -> None:
    watermarks.record({1: DELETED})
    watermarks.record({1: 9})
    assert watermarks.read() == ("first", {1: DELETED})


def test_replacing_removes_all_other_marks_for_every_process(watermarks: Watermarks, path: Path) -> None:
    other = Watermarks(path)
    other.record({2: 8, 3: DELETED})
    watermarks.replace("second", {1: 3})
    assert other.read() == ("second", {1: 3})


def test_an_error_of_the_disk_is_kept_for_the_log_and_raises_nothing(watermarks: Watermarks, path: Path) -> None:
    path.unlink()
    path.mkdir()
    watermarks.record({2: 1})
    assert isinstance(watermarks.take_error(), IsADirectoryError)
    assert watermarks.take_error() is None
    watermarks.record({1: 6})
    assert watermarks.read() == ("first", {1: 6})


def test_a_damaged_file_has_another_label(path: Path) -> None:
    path.write_bytes(b"\xff" * 45)
    recorded = Watermarks(path).read()
    assert recorded is not None
    assert recorded[0] != "first"


def test_an_empty_file_is_as_good_as_none(path: Path) -> None:
    path.touch()
    assert Watermarks(path).read() is None


def test_only_the_owner_can_read_the_file(watermarks: Watermarks, path: Path) -> None:
    watermarks.flush()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
