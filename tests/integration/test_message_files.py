"""Files as part of messages: stored with them, and presented, on both databases."""

import uuid

import pytest
from flask import Flask
from sqlalchemy import select

from chatapp.accounts.service import create_owner
from chatapp.actors import Actor
from chatapp.conversations.refs import GENERAL
from chatapp.errors import Empty, Invalid
from chatapp.extensions import db
from chatapp.files.attached import AttachedFile
from chatapp.models import Attachment
from chatapp.presentation.messages import present_message_data
from chatapp.timeline import TimelineMessage, post
from chatapp.timeline.messages import fetch_message
from chatapp.timeline.posting import Post
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
    assert text["preview"] == "first line"
    assert "small_url" not in text
    assert "files" not in present_message_data(post_files(ana, content="Without files"))


def test_a_spooled_message_keeps_its_files(ana: Actor) -> None:
    sent = Post(GENERAL, ana, "", str(uuid.uuid4()), post_files(ana, PHOTO).created_at, files=(PHOTO, TEXT_FILE))
    assert (
        Post.from_fields(sent.to_fields() | {"sender": {"id": 1, "username": "ana", "name": "Ana"}}).files == sent.files
    )
