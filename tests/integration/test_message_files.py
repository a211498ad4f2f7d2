"""Files as part of messages: stored with them, and presented, on both databases."""

import json
import uuid
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import func, select

from chatapp.accounts.service import create_owner
from chatapp.actors import Actor
from chatapp.conversations.queries import find_conversation
from chatapp.conversations.refs import GENERAL
from chatapp.errors import Empty, Invalid
from chatapp.extensions import db
from chatapp.files.attached import AttachedFile
from chatapp.models import Attachment, Conversation, Deletion
from chatapp.presentation.messages import present_message_data
from chatapp.presentation.quotes import list_words, quote_message
from chatapp.presentation.reply_quotes import present_quote
from chatapp.search.checking import compare_tokens
from chatapp.search.filling import complete_index, restart
from chatapp.timeline import TimelineMessage, delete, edit, post, undelete
from chatapp.timeline.archive.files import current_archive
from chatapp.timeline.archive.restoring import restore
from chatapp.timeline.cleanup import plan_clearing, trim
from chatapp.timeline.messages import fetch_message
from chatapp.timeline.posting import Post
from chatapp.timeline.reading import list_last_messages
from chatapp.timeline.search import find_messages
from chatapp.transcripts.export import TranscriptHeader, write_json, write_markdown
from chatapp.transcripts.exports import current_exports
from tests.harness.files import PHOTO, TEXT_FILE


@pytest.fixture
def ana(app: Flask) -> Actor:
    """The owner of `app`."""
    return Actor(create_owner("ana", "Ana", "a good password"))


def post_files(actor: Actor, *files: AttachedFile, content: str = "") -> TimelineMessage:
    return post(GENERAL, actor, content=content, client_id=str(uuid.uuid4()), files=files)


def read(message: TimelineMessage) -> TimelineMessage:
    """Return the message as it is in the database."""
    db.session.rollback()
    return fetch_message(db.session(), GENERAL, message.id or 0)


def test_a_message_has_its_files_in_their_order(ana: Actor) -> None:
    posted = post_files(ana, PHOTO, TEXT_FILE, content="Look")
    assert posted.files == read(posted).files == (PHOTO, TEXT_FILE)
    rows = db.session.execute(
        select(Attachment.message_id, Attachment.position, Attachment.conversation_id, Attachment.user_id)
    ).all()
    assert [tuple(row) for row in rows] == [(posted.id, place, GENERAL.id, ana.user_id) for place in (0, 1)]


def test_a_message_needs_no_text_if_it_has_files(ana: Actor) -> None:
    assert read(post_files(ana, PHOTO, content=" \n")).content == ""
    with pytest.raises(Empty):
        post_files(ana, content=" \n")


def test_a_repeated_message_needs_its_files_no_more(ana: Actor) -> None:
    client_id, gone = str(uuid.uuid4()), Invalid("A file was not found.")
    first = post(GENERAL, ana, content="", client_id=client_id, files=[PHOTO])
    assert post(GENERAL, ana, content="", client_id=client_id, files_error=gone) == read(first)
    with pytest.raises(Invalid):
        post(GENERAL, ana, content="Look", client_id=str(uuid.uuid4()), files_error=gone)


def test_clients_receive_the_files_with_their_urls(ana: Actor) -> None:
    photo, text = present_message_data(post_files(ana, PHOTO, TEXT_FILE))["files"]
    url = f"/conversations/general/files/{PHOTO.digest}/my%20photo.jpg"
    assert (photo["url"], photo["small_url"], photo["large_url"]) == (url, f"{url}?size=small", f"{url}?size=large")
    assert (photo["name"], photo["type"], photo["width"]) == ("my photo.jpg", "image/jpeg", 640)
    assert (text["preview"], text["digest"]) == ("first line", TEXT_FILE.digest)
    assert "small_url" not in text
    assert "files" not in present_message_data(post_files(ana, content="Without files"))


def test_a_spooled_message_keeps_its_files(ana: Actor) -> None:
    sent = Post(GENERAL, ana, "", str(uuid.uuid4()), post_files(ana, PHOTO).created_at, files=(PHOTO, TEXT_FILE))
    assert (
        Post.from_fields(sent.to_fields() | {"sender": {"id": 1, "username": "ana", "name": "Ana"}}).files == sent.files
    )


def test_a_deletion_removes_the_files_until_it_is_undone(ana: Actor) -> None:
    posted = post_files(ana, PHOTO, TEXT_FILE)
    deleted = delete(GENERAL, ana, posted.seq or 0)
    assert deleted.files == ()
    assert count_rows() == 0
    assert find(ana, "has:file") == []
    (kept,) = db.session.scalars(select(Deletion.removed))
    assert [file["digest"] for file in kept["files"]] == [PHOTO.digest, TEXT_FILE.digest]
    restored = undelete(GENERAL, ana, posted.seq or 0)
    assert restored.files == (PHOTO, TEXT_FILE)
    assert list(db.session.scalars(select(Attachment.user_id))) == [ana.user_id] * 2
    assert find(ana, "has:file") == [posted.id]


def test_an_edit_can_remove_one_file(ana: Actor) -> None:
    posted = post_files(ana, PHOTO, TEXT_FILE, content="Look")
    changed = edit(GENERAL, ana, posted.seq or 0, removed_files=[PHOTO.digest])
    assert (changed.files, changed.content, changed.edited_at) == ((TEXT_FILE,), "Look", None)
    assert (changed.version or 0) > (posted.version or 0)
    assert find(ana, "photo") == []
    assert edit(GENERAL, ana, posted.seq or 0, removed_files=[PHOTO.digest]).version == changed.version
    assert edit(GENERAL, ana, posted.seq or 0, content="").content == ""
    with pytest.raises(Empty):
        edit(GENERAL, ana, posted.seq or 0, removed_files=[TEXT_FILE.digest])
    assert read(posted).files == (TEXT_FILE,)
    assert read(posted).edited_at is not None


def test_a_message_without_files_keeps_a_text(ana: Actor) -> None:
    posted = post_files(ana, content="Look")
    with pytest.raises(Empty):
        edit(GENERAL, ana, posted.seq or 0, content="")


def test_the_search_finds_files_and_their_names(ana: Actor) -> None:
    photo, both = post_files(ana, PHOTO), post_files(ana, PHOTO, TEXT_FILE, content="Look")
    without = post_files(ana, content="Look at nothing")
    assert find(ana, "has:file") == [both.id, photo.id]
    assert find(ana, "photo") == [both.id, photo.id]
    assert find(ana, "has:file look") == [both.id]
    assert find(ana, "notes.txt") == [both.id]
    assert find(ana, "look -has:file") == [without.id]
    # The day of the first one: midnight may pass.
    assert find(ana, f"after:{photo.created_at.date() - timedelta(days=1)}") == [without.id, both.id, photo.id]


def test_the_index_of_messages_with_files_passes_its_check(ana: Actor) -> None:
    deleted = post_files(ana, PHOTO)
    post_files(ana, PHOTO, TEXT_FILE)
    delete(GENERAL, ana, deleted.seq or 0)
    db.session.rollback()
    assert not compare_tokens(db.session(), lambda _count: None)
    restart()
    assert find(ana, "has:file") != []
    complete_index(db.session())
    assert not compare_tokens(db.session(), lambda _count: None)


def test_one_line_stands_for_a_message_with_files(ana: Actor) -> None:
    photo, two = post_files(ana, PHOTO), post_files(ana, PHOTO, TEXT_FILE)
    assert quote_message(photo) == "my photo.jpg"
    assert quote_message(two) == "2 files"
    assert quote_message(post_files(ana, PHOTO, content="**Look**")) == "Look · my photo.jpg"
    assert present_quote(photo)["text"] == "my photo.jpg"
    assert list_words(two) == "my photo.jpg · notes.txt"


def test_the_last_message_of_a_conversation_has_its_files(ana: Actor) -> None:
    post_files(ana, PHOTO)
    conversation = db.session.get_one(Conversation, GENERAL.id)
    assert list_last_messages(db.session(), [conversation])["general"].files == (PHOTO,)


def count_rows() -> int:
    db.session.rollback()
    return db.session.scalars(select(func.count()).select_from(Attachment)).one()


def find(actor: Actor, words: str) -> list[int | None]:
    """Return the ids of the messages that a search finds, the newest first."""
    db.session.rollback()
    return [hit.message.id for hit in find_messages(actor, words).hits]


def test_archives_contain_the_rows_of_files(ana: Actor) -> None:
    posted = post_files(ana, PHOTO, TEXT_FILE)
    general = find_conversation(db.session(), GENERAL)
    assert general is not None
    list(trim(plan_clearing(general)))
    assert count_rows() == 0
    (run,) = current_archive().list_runs(GENERAL)
    list(restore(run))
    db.session.rollback()
    general = find_conversation(db.session(), GENERAL)
    assert general is not None
    assert list_last_messages(db.session(), [general])["general"].files == posted.files


def test_exports_name_the_files(ana: Actor) -> None:
    message = read(post_files(ana, PHOTO, TEXT_FILE))
    exported = json.loads("".join(write_json(TranscriptHeader("General"), [message], lambda _message: ())))
    (photo, notes) = exported["messages"][0]["files"]
    assert photo == {"name": "my photo.jpg", "type": "image/jpeg", "size": 12_345, "alt": "The sea"}
    assert notes["name"] == "notes.txt"
    markdown = "".join(write_markdown(TranscriptHeader("General"), [(message, None)], lambda _message: ()))
    assert "\nFile: my photo.jpg (image/jpeg, 12,345 bytes): The sea\n" in markdown
    pdf = current_exports().make_pdf(TranscriptHeader("General"), [message], {}, is_cut=False)
    assert pdf.startswith(b"%PDF-")
