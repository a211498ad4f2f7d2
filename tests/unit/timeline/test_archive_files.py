"""Files of the message archive that are not completed."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from chatapp.concurrency.native import NativePool
from chatapp.conversations.refs import parse_ref
from chatapp.timeline.archive.files import MessageArchive

GENERAL = parse_ref("general")


def test_an_unfinished_file_leaves_nothing_behind(tmp_path: Path) -> None:
    archive = MessageArchive(tmp_path / "archive", NativePool("archive", threads=1))
    with archive.lock(GENERAL):
        run = archive.new_run(GENERAL)
        writer = run.create_file()
        assert [path.name for path in run.path.iterdir()] == ["writing.partial"]
        assert run.list_files() == [], "it does not count as archived"
        writer.abort()
    assert not run.path.exists()


def test_the_archive_of_a_conversation_is_deleted_with_what_crashes_left(tmp_path: Path) -> None:
    archive = MessageArchive(tmp_path / "archive", NativePool("archive", threads=1))
    archive.delete(GENERAL)  # There is none yet.
    with archive.lock(GENERAL):
        run = archive.new_run(GENERAL)
        run.path.mkdir()
        (run.path / "writing.partial").touch()
        archive.remove_partial_files(GENERAL)
        assert not run.path.exists()
        archive.delete(GENERAL)
    assert list((tmp_path / "archive").iterdir()) == []


@pytest.mark.parametrize(("days", "kept"), [(0, 3), (30, 1), (400, 3)])
def test_runs_older_than_the_chosen_days_are_deleted(tmp_path: Path, days: int, kept: int) -> None:
    archive = MessageArchive(tmp_path / "archive", NativePool("archive", threads=1))
    for age, suffix in ((1, ""), (31, ""), (31, "-2")):
        name = f"{datetime.now(UTC) - timedelta(days=age):%Y%m%dT%H%M%SZ}{suffix}"
        folder = tmp_path / "archive" / "general" / name
        folder.mkdir(parents=True)
        (folder / "000000000001-000000000002-2.jsonl.gz").touch()
    assert archive.delete_expired(days) == 3 - kept
    assert len(archive.list_runs(GENERAL)) == kept
