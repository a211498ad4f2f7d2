"""The files of messages as pages show them."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from selectolax.lexbor import LexborHTMLParser, LexborNode

from chatapp.conversations.people import Person
from chatapp.conversations.refs import ConversationRef
from chatapp.files.attached import AttachedFile
from chatapp.presentation.files import MAX_HEIGHT, MAX_WIDTH, ShownFile
from chatapp.presentation.messages import MessagePresenter
from chatapp.timeline import TimelineMessage
from tests.harness.files import PHOTO, TEXT_FILE

MESSAGE = TimelineMessage(
    conversation=ConversationRef("room", 26),
    id=1,
    seq=1,
    version=1,
    sender=Person(3, "ana", "Ana"),
    content="",
    created_at=datetime(2026, 1, 1, tzinfo=UTC),
)

URL = f"/conversations/room_26/files/{'a' * 64}/my%20photo.jpg"


def render(presenter: MessagePresenter, *files: AttachedFile, is_pending: bool = False) -> LexborNode:
    message = replace(MESSAGE, files=files, is_pending=is_pending, seq=None if is_pending else 1)
    files_html = LexborHTMLParser(str(presenter.render(message))).css_first(".message-files")
    assert files_html is not None
    return files_html


def one(html: LexborNode, selector: str) -> LexborNode:
    (found,) = html.css(selector)
    return found


def test_a_picture_has_its_room_before_it_is_loaded(presenter: MessagePresenter) -> None:
    html = render(presenter, PHOTO)
    image = one(html, ".file-image").attributes
    assert (image["width"], image["height"]) == ("400", "300")
    assert (image["src"], image["loading"], image["alt"]) == (f"{URL}?size=small", "lazy", "The sea")
    assert one(html, ".file-placeholder").attributes["src"] == PHOTO.placeholder
    link = one(html, "a.file-picture-link").attributes
    assert (link["href"], link["data-view"]) == (URL, f"{URL}?size=large")


@pytest.mark.parametrize(
    ("size", "shown"),
    [
        ((640, 480), (MAX_WIDTH, 300)),
        ((100, 50), (100, 50)),
        ((480, 4_800), (30, MAX_HEIGHT)),
        ((10_000, 1), (MAX_WIDTH, 1)),
    ],
)
def test_a_picture_keeps_its_proportions_and_is_never_enlarged(size: tuple[int, int], shown: tuple[int, int]) -> None:
    width, height = size
    assert ShownFile(replace(PHOTO, width=width, height=height), None).shown_size == shown


@pytest.mark.parametrize(
    ("name", "kind", "label"),
    [
        ("a.tar.gz", "other", "GZ"),
        ("README", "text", "Text"),
        ("a.خط", "other", "File"),
        ("a.configuration", "text", "Text"),
        ("scan.PDF", "pdf", "PDF"),
    ],
)
def test_the_type_of_a_file_is_its_extension_or_its_kind(name: str, kind: str, label: str) -> None:
    assert ShownFile(replace(TEXT_FILE, name=name, kind=kind), None).label == label


def test_a_pending_message_has_no_links(presenter: MessagePresenter) -> None:
    files = [replace(PHOTO, kind=kind) for kind in ("image", "video", "audio", "pdf", "other")]
    html = render(presenter, *files, TEXT_FILE, is_pending=True)
    assert html.css("a, video, audio, [data-view], [data-play]") == []
    assert "/conversations/" not in (html.html or "")
    assert [name.text() for name in html.css(".file-name")] == ["my photo.jpg"] * 4 + ["notes.txt"]


def test_an_animation_is_a_still_picture_with_a_button(presenter: MessagePresenter) -> None:
    html = render(presenter, replace(PHOTO, is_animated=True))
    assert one(html, ".file-image").attributes["src"] == f"{URL}?size=small"
    assert one(html, "button[data-play]").attributes["data-play"] == URL


def test_a_text_shows_its_beginning_and_everything_else_can_be_downloaded(presenter: MessagePresenter) -> None:
    html = render(presenter, TEXT_FILE, replace(TEXT_FILE, kind="other", name="<b>.zip", preview=None))
    assert one(html, "pre").text() == "first line"
    assert html.css("[data-fold]") == []
    assert one(render(presenter, replace(TEXT_FILE, preview="line\n" * 10)), "[data-fold]").text() == "Show more"
    assert [link.attributes["download"] for link in html.css("a")] == ["notes.txt", "<b>.zip"]
    assert [facts.text() for facts in html.css(".file-facts")] == ["TXT · 1.0 kB", "ZIP · 1.0 kB"]


@pytest.mark.parametrize(("kind", "tag"), [("video", "video"), ("audio", "audio")])
def test_video_and_audio_play_in_the_message(presenter: MessagePresenter, kind: str, tag: str) -> None:
    player = one(render(presenter, replace(PHOTO, kind=kind)), tag).attributes
    assert player["src"] == URL
    assert "controls" in player


def test_a_deleted_message_shows_no_file(presenter: MessagePresenter) -> None:
    message = replace(MESSAGE, files=(PHOTO,), deleted_at=MESSAGE.created_at)
    assert "my photo" not in presenter.render(message)
