"""Files of the message archive that are not completed."""

from pathlib import Path

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
