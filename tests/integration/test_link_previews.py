"""Previews of links: which messages get them, when they are removed, and what happens at the same time."""

import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from chatapp.accounts.service import create_owner
from chatapp.actors import Actor
from chatapp.concurrency.supervision import Supervisor
from chatapp.config import Settings, current_settings
from chatapp.conversations.refs import GENERAL
from chatapp.extensions import db
from chatapp.link_previews import pages, service
from chatapp.link_previews.pages import PageFetcher
from chatapp.link_previews.service import LinkPreviewer, find_previewed
from chatapp.models import Conversation, LinkPreview
from chatapp.timeline import TimelineMessage, delete, edit, get_message, post, remove_previews, undelete
from chatapp.timeline.changing import store_previews
from chatapp.timeline.cleanup import plan_trim, trim
from chatapp.timeline.link_previews import PagePreview
from tests.harness.people import NewPerson
from tests.harness.servers import NewServer
from tests.harness.site import Site, SitePage, running_site
from tests.harness.waiting import eventually

SETTINGS = {"CHATAPP_LINK_PREVIEWS": "true", "CHATAPP_LINK_PREVIEW_PRIVATE_NETWORKS": "true"}

A, B, C = (f"https://{name}.example.com/" for name in "abc")


@pytest.fixture
def site() -> Iterator[Site]:
    with running_site() as site:
        yield site


def titles(message: dict[str, Any]) -> list[str]:
    return [preview["title"] for preview in message.get("previews", ())]


def test_previews_are_events_of_their_message(
    new_server: NewServer, database_url: str, new_person: NewPerson, site: Site
) -> None:
    server = new_server(database_url=database_url, **SETTINGS).start()
    ana, bob = (new_person(server, name) for name in ("ana", "bob"))
    room = ana.create_room()
    ana.invite(room, bob)
    ana_socket, bob_socket = ana.connect(), bob.connect()
    cursor = bob_socket.join(room)["last_event"]
    first = site.add("/1", "One &amp; only", '<meta name="description" content="Text">')
    second, third = site.add("/2", "Two"), site.redirect("/3", site.add("/moved", "Three"))
    for path in ("/hidden", "/code", "/fourth"):
        site.add(path, "never")
    hidden = f"||{site.url}/hidden|| `{site.url}/code` <{site.url}/code>"
    posted = ana_socket.post(f"{hidden} {first} {site.url}/absent {third} {site.url}/fourth", room)

    (changed,) = bob_socket.wait_for("message_changed")
    assert changed["previews"] == [
        {"url": first, "title": "One & only", "description": "Text", "site": ""},
        {"url": third, "title": "Three", "description": "", "site": ""},
    ]
    assert (changed["seq"], changed["version"], changed["edited_at"]) == (posted["seq"], posted["version"] + 1, None)
    assert site.requested == ["/1", "/absent", "/3", "/moved"]
    (missed,) = bob.connect().join(room, after=cursor)["messages"]
    assert missed["previews"] == changed["previews"]
    message = {"conversation": room, "seq": posted["seq"]}

    refused = bob_socket.call("remove_previews", message)
    assert refused["error"]["code"] == "forbidden"
    removed = ana_socket.call("remove_previews", message | {"url": first})["message"]
    assert titles(removed) == ["Three"]
    edited = ana_socket.call("edit_message", message | {"content": f"{first} {second} {third}"})["message"]
    assert titles(edited) == ["Three"]
    ((seq, version, previews),) = eventually(
        lambda: [
            (each["seq"], each["version"], titles(each))
            for each in bob_socket.payloads("message_changed")
            if "Two" in titles(each)
        ],
        "the link that is new gets its preview",
    )
    assert previews == ["Two", "Three"]  # What was removed stays removed.
    path = f"/conversations/{room}/messages/{seq}"
    assert ana.api().get(path).json()["previews"][0]["url"] == second
    without = ana.api().request("DELETE", f"{path}/previews").json()
    assert "previews" not in without
    assert without["version"] > version
    assert server.rows("SELECT count(*) FROM link_previews") == [(0,)]


def test_hosts_in_private_networks_are_not_requested(app: Flask, site: Site) -> None:
    fetcher = PageFetcher(Settings(data_dir=app.instance_path))
    assert fetcher.fetch(site.add("/", "Internal")) is None
    assert site.requested == []


@pytest.mark.usefixtures("app")
def test_pages_that_are_slow_large_or_no_pages_have_no_preview(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    fetcher = PageFetcher(Settings(link_preview_private_networks=True))
    site.pages["/large"] = SitePage(b"<p>" * 2_000_000 + b"<title>late</title>")
    site.pages["/type"] = SitePage(b"<title>x</title>", headers={"Content-Type": "application/pdf"})
    for path in ("/large", "/type", site.redirect("/loop", "/loop").removeprefix(site.url)):
        assert fetcher.fetch(site.url + path) is None
    monkeypatch.setattr(pages, "REQUEST_SECONDS", 0.2)
    site.pages["/slow"] = SitePage(b"<title>x</title>", delay=1.0)
    assert fetcher.fetch(f"{site.url}/slow") is None
    assert site.requested == ["/large", "/type", *["/loop"] * 5, "/slow"]


def preview(url: str) -> PagePreview:
    return PagePreview(url=url, title=url, description="", site="")


@pytest.fixture
def ana(app: Flask) -> Actor:
    create_owner("ana", "Ana", "a good password")
    return Actor(1)


def send(content: str) -> TimelineMessage:
    return post(GENERAL, Actor(1), content=content, client_id=str(uuid.uuid4()))


def store(message: TimelineMessage, *urls: str) -> None:
    store_previews(message, [preview(url) for url in urls], find_previewed)


def read(message: TimelineMessage) -> tuple[int, list[str]]:
    """Return the version of a message, and the URLs of its previews."""
    db.session.rollback()
    conversation = db.session.get_one(Conversation, GENERAL.id)
    now = get_message(db.session(), conversation, message.seq or 0)
    return now.version or 0, [each.url for each in now.previews]


def test_previews_of_links_that_a_message_no_longer_has_are_not_stored(ana: Actor) -> None:
    message = send(f"{A} {B}")
    edit(GENERAL, ana, 1, content=f"{B} {C}")
    store(message, A, B)
    assert read(message) == (3, [B])
    store(message, C)
    assert read(message) == (4, [B, C])
    store(message, B, C)
    assert read(message) == (4, [B, C])


def test_an_edit_removes_the_previews_of_links_that_are_gone(ana: Actor) -> None:
    message = send(f"{A} {B} {C}")
    store(message, A, B, C)
    changed = edit(GENERAL, ana, 1, content=f"||{B}|| {C}")
    assert [each.url for each in changed.previews] == [B, C]
    # The service sees that a link is in a spoiler now.
    store(changed)
    assert read(message) == (4, [C])
    assert edit(GENERAL, ana, 1, content="no link").previews == ()
    edit(GENERAL, ana, 1, content=C)
    assert read(message) == (6, [])


def test_a_deleted_message_gets_no_previews_and_undoing_restores_those_that_it_had(ana: Actor) -> None:
    message = send(f"{A} {B}")
    store(message, A)
    assert delete(GENERAL, ana, 1).previews == ()
    store(message, A, B)
    assert read(message) == (3, [])
    assert [each.url for each in undelete(GENERAL, ana, 1).previews] == [A]
    assert remove_previews(GENERAL, ana, 1, B).version == 4
    assert remove_previews(GENERAL, ana, 1).version == 5
    assert read(message) == (5, [])


def test_a_message_that_a_cleanup_has_removed_gets_no_previews(ana: Actor) -> None:
    message = send(A)
    store(message, A)
    send("other")
    assert sum(trim(plan_trim(db.session(), db.session.get_one(Conversation, GENERAL.id), 1))) == 1
    store(message, A)
    assert db.session.scalars(select(LinkPreview)).all() == []


@pytest.mark.usefixtures("ana")
def test_few_messages_of_one_person_are_fetched_at_the_same_time(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "MAX_JOBS_OF_ONE", 2)
    started: list[str] = []

    supervisor = Supervisor()
    monkeypatch.setattr(supervisor, "start", lambda _name, _run, job, **_options: started.append(job.message.content))
    previewer = LinkPreviewer(app, current_settings(), supervisor)
    for content in (A, "no link", B, C):
        send(content)
    monkeypatch.setattr(previewer, "_wake", Rounds(1))
    with pytest.raises(StopIteration):
        previewer.run()
    assert started == [A, B]


class Rounds:
    """Ends a service after some rounds."""

    def __init__(self, rounds: int) -> None:
        self._rounds = iter(range(rounds))

    def wait(self) -> None:
        next(self._rounds)

    def clear(self) -> None:
        pass
