"""The list of a conversation's files: on its page and over the API, on both databases."""

import re
from dataclasses import replace
from typing import Any

from flask import Flask
from selectolax.lexbor import LexborHTMLParser
from sqlalchemy import Connection, event

from chatapp.conversations.refs import GENERAL
from chatapp.extensions import db
from chatapp.models import Conversation
from chatapp.timeline.file_list import read_files
from tests.harness.api import check_problem
from tests.harness.files import PHOTO, TEXT_FILE
from tests.harness.html import attribute, text
from tests.harness.people import NewPerson, Person
from tests.harness.plans import explain
from tests.harness.servers import Server
from tests.harness.stored_files import attach_rows

PAPER = replace(PHOTO, digest="c" * 64, name="paper.pdf", media_type="application/pdf", kind="pdf", alt="")


def names(person: Person, path: str) -> list[str]:
    """Return the names of the files on a page: pictures by their alternative texts, and then the others."""
    page = LexborHTMLParser(person.get(path).text)
    return [each.attributes["alt"] or "" for each in page.css(".file-gallery img")] + [
        each.text() for each in page.css(".file-list .file-name")
    ]


def test_the_files_of_a_conversation_are_listed_newest_first(any_server: Server, new_person: NewPerson):
    ana, bob = (new_person(any_server, name) for name in ("ana", "bob"))
    room = ana.create_room()
    ana.invite(room, bob)
    socket = bob.connect()
    first, second = socket.post("one", room), socket.post("two", room)
    attach_rows(any_server, "general", socket.post("elsewhere")["seq"], replace(PHOTO, alt="Elsewhere"))
    path = f"/conversations/{room}/files"
    assert "No files." in ana.get(path).text
    attach_rows(any_server, room, first["seq"], PHOTO, TEXT_FILE)
    attach_rows(any_server, room, second["seq"], PAPER, replace(PHOTO, alt="The sky"))
    assert names(ana, path) == ["The sky", "The sea", "paper.pdf", "notes.txt"]
    assert names(ana, f"{path}?kind=pdf") == ["paper.pdf"]
    assert names(ana, f"{path}?kind=video") == []
    page = ana.get(path).text
    assert attribute(page, ".file-gallery a", "href") == f"{path}/{PHOTO.digest}/my%20photo.jpg"
    assert attribute(page, ".file-list a", "download") == "paper.pdf"
    assert text(page, ".file-source bdi") == "Bob"
    assert ana.get(attribute(page, ".file-source a", "href")).url.endswith("#message-2")

    listed = ana.api().get(f"/conversations/{room}/files").json()
    assert (listed["total"], listed["next"], listed["conversation"]) == (4, None, room)
    assert [(each["seq"], each["file"]["name"]) for each in listed["files"]] == [
        (2, "paper.pdf"), (2, "my photo.jpg"), (1, "my photo.jpg"), (1, "notes.txt")
    ]  # fmt: skip
    assert listed["files"][0]["sender"]["username"] == "bob"
    assert listed["files"][1]["file"]["small_url"] == f"{path}/{PHOTO.digest}/my%20photo.jpg?size=small"


def test_the_list_has_pages(any_server: Server, new_person: NewPerson):
    ana = new_person(any_server, "ana")
    room = ana.create_room()
    socket, api = ana.connect(), ana.api()
    for number in range(35):
        files = [replace(TEXT_FILE, name=f"{number}-{place}.txt") for place in range(2)]
        attach_rows(
            any_server, room, socket.post("two files", room)["seq"], *files, replace(PHOTO, alt=f"picture {number}")
        )
    path = f"/conversations/{room}/files"
    expected = [f"{number}-{place}.txt" for number in reversed(range(35)) for place in range(2)]

    newest = LexborHTMLParser(ana.get(f"{path}?kind=text").text)
    (older,) = [each.attributes["href"] or "" for each in newest.css("a") if each.text() == "Older files"]
    assert names(ana, f"{path}?kind=text") + names(ana, older) == expected

    url, found = f"{path}?kind=text&limit=25", []
    while url:
        part = api.get(url.removeprefix("/api")).json()
        found += [each["file"]["name"] for each in part["files"]]
        assert part["total"] == 70
        previous, url = part["previous"], part["next"]
    assert found == expected
    assert len(api.get(previous.removeprefix("/api")).json()["files"]) == 25


def test_a_page_is_read_from_a_range_of_an_index(app: Flask):
    connection, statements = db.session().connection(), []

    def note(_connection: Connection, _cursor: object, statement: str, parameters: Any, *_rest: object) -> None:
        statements.append((statement, parameters))

    event.listen(connection, "before_cursor_execute", note)
    read_files(db.session(), db.session().get_one(Conversation, GENERAL.id), after="100000-3", limit=10)
    event.remove(connection, "before_cursor_execute", note)
    page, newer = [explain(connection, *each) for each in statements if "attachments" in each[0]]
    for plan in (page, newer):
        assert "ix_attachments_conversation_id_message_id" in plan
        assert re.search(r"message_id.?[<>]", plan.replace(" ", "")), plan


def test_an_unknown_kind_or_cursor_is_refused(any_server: Server, new_person: NewPerson):
    ana = new_person(any_server, "ana")
    assert ana.get("/conversations/general/files?kind=secret").status_code == 400
    assert ana.get("/conversations/general/files?after=x").status_code == 400
    assert check_problem(ana.api().get("/conversations/general/files?kind=secret")) == (400, "invalid")
