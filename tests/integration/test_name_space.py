"""One name space for users, assistants and bots."""

import pytest
import structlog
from flask import Flask
from selectolax.lexbor import LexborHTMLParser
from structlog.testing import capture_logs

from chatapp.accounts.service import create_user
from chatapp.conversations import name_space
from chatapp.conversations.name_space import list_clashes, make_coarse_skeleton, make_skeleton
from chatapp.errors import Conflict
from chatapp.extensions import db
from chatapp.models import IncomingWebhook, User
from chatapp.serving.background import check_names
from chatapp.storage import write
from tests.harness.html import attribute
from tests.harness.people import PASSWORD, Person, room_path
from tests.harness.servers import Server


@pytest.mark.parametrize(
    ("name", "look_alike"),
    [
        ("bob", "B0B"),
        ("bill", "bi11"),
        ("modern", "modem"),
        ("ana", "аna"),
        ("ana", "Ána"),
        ("ana", "ａｎａ"),
        ("ana", "a\u200bna"),
        ("wanda", "vvanda"),
    ],
    ids=ascii,
)
def test_names_that_look_alike_have_one_skeleton(name: str, look_alike: str) -> None:
    assert make_skeleton(name) == make_skeleton(look_alike)


@pytest.mark.parametrize(
    ("name", "look_alike"),
    [
        ("Bill", "BiII"),
        ("Bill", "Bi||"),
        ("Bill", "Biǀǀ"),
        ("ian", "Ian"),
        ("Helper", "Helper\u2800"),
        ("Helper", "\u3164Helper"),
        ("Robert Miller", "Robert\u2800MiIler"),
        ("Robert Miller", "Robert\u00a0Mil\ufe0fler"),
    ],
    ids=ascii,
)
def test_other_names_that_look_alike_have_one_coarse_skeleton(name: str, look_alike: str) -> None:
    assert make_coarse_skeleton(name) == make_coarse_skeleton(look_alike)


@pytest.mark.parametrize(
    ("one", "other"), [("ana", "anna"), ("ian", "lan"), ("a.b", "ab"), ("李", "王"), ("eve", "éve2")]
)
def test_other_names_have_different_skeletons(one: str, other: str) -> None:
    assert make_skeleton(one) != make_skeleton(other)


def test_a_username_is_refused_that_looks_like_a_user_an_assistant_or_a_bot(app: Flask) -> None:
    assert app
    create_user("bob", "", PASSWORD, is_admin=True)
    write(
        lambda transaction: transaction.session.add(
            IncomingWebhook(conversation_id=1, name="GitHub", token_hash="x", creator_id=1)
        )
    )
    for taken in ("bob", "b0b", "helper", "he1per", "github"):
        with pytest.raises(Conflict, match=f"“{taken}” is taken, or looks like"):
            create_user(taken, "", PASSWORD, is_admin=False)
    create_user("bobby", "", PASSWORD, is_admin=False)


def test_a_webhook_cannot_take_the_name_of_a_user_or_an_assistant(server: Server, ana: Person, bob: Person) -> None:
    assert bob.post("/settings/name", "/settings", name="Robert Miller").ok
    room = ana.create_room()
    page = f"{room_path(room)}/webhooks"
    for name in ("Bob", "b0b", "HELPER", "HeIper", "He|per", "Robert Miller", "Rоbert Miller", "Robert MiIIer"):
        assert ana.post(f"{page}/incoming", page, bot_name=name).status_code == 409, name
    for name in ("bob", "b0b", "helper"):
        assert ana.post(page, page, name=name, url="https://example.com/").status_code == 409, name
    assert server.rows("SELECT count(*) FROM incoming_webhooks") == server.rows(
        "SELECT count(*) FROM outgoing_webhooks"
    )
    for name in ("Builder\u3164", "Builder\u2800"):
        assert ana.post(f"{page}/incoming", page, bot_name=name).status_code == 400
    for _ in range(2):
        assert ana.post(f"{page}/incoming", page, bot_name="Builder").ok

    # Nor can a user take the name of a bot or an assistant as display name.
    for name in ("Builder", "BuiIder", "Helper", "he|per"):
        response = bob.post("/settings/name", "/settings", name=name)
        assert response.status_code == 409
        assert "looks like the name of a bot or an assistant" in response.text
    visitor = Person(server, "mallory")
    path = ana.invitation().removeprefix(server.url)
    fields = {"username": "mallory", "name": "Builder", "password": PASSWORD}
    assert visitor.post(path, path, **fields).status_code == 409
    assert server.rows("SELECT count(*) FROM users") == [(2,)]


def test_names_that_clash_already_are_listed_and_logged(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    people = [User(username=name, name=name, password_hash="x") for name in ("bob", "b0b", "helper", "eve")]
    people.append(User(username="dan", name="BuiIder", password_hash="x"))
    bots = [IncomingWebhook(conversation_id=1, name=name, token_hash=name) for name in ("Eve", "Builder", "Bui1der")]
    write(lambda transaction: transaction.session.add_all([*people, *bots]))
    assert list_clashes(db.session(), {"helper", "Helper"}) == [
        ["assistant Helper", "assistant helper", "user helper"],
        ["bot Bui1der", "bot Builder", "user dan, called BuiIder"],
        ["bot Eve", "user eve"],
        ["user b0b", "user bob"],
    ]
    monkeypatch.setattr(name_space, "log", structlog.get_logger())
    with capture_logs() as logs:
        check_names(app)
    assert ["user b0b", "user bob"] in [entry["names"] for entry in logs]


def test_a_message_shows_the_username_and_marks_what_is_no_person(server: Server, ana: Person) -> None:
    assert ana.post("/settings/name", "/settings", name="GitHub bot").ok
    socket = ana.connect()
    html = socket.send("hello")["message"]["html"]
    assert attribute(html, ".message-sender", "title") == "@ana"
    assert attribute(html, ".message-sender", "href") == "/people/ana"
    assert LexborHTMLParser(html).css(".badge") == []
    server.execute(
        "INSERT INTO messages (conversation_id, seq, version, sender_type, sender_name, message_type, content, "
        "created_at) VALUES (1, 2, 2, 'system', 'Builder', 'text', 'green', '2026-01-01 00:00:00')"
    )
    server.execute("UPDATE conversations SET last_event = 2 WHERE id = 1")
    page = LexborHTMLParser(ana.get("/").text)
    assert [badge.text() for badge in page.css("#message-2 .badge")] == ["bot"]
    assert page.css("#message-1 .badge") == []
    assert [node.tag for node in page.css("#message-2 .message-sender")] == ["span"], "a bot has no profile"
    assert page.css("#message-2 .message-sender")[0].attributes.get("title") is None


def test_a_profile_shows_who_a_person_is_and_leads_to_the_direct_conversation(
    server: Server, ana: Person, bob: Person
) -> None:
    assert bob.post("/settings/name", "/settings", name="Robert Miller").ok
    page = ana.get("/people/bob").text
    for shown in ("Robert Miller", "@bob", "Joined", 'href="/direct/bob"', "Block Robert Miller"):
        assert shown in page, shown
    assert "admin" not in [badge.text() for badge in LexborHTMLParser(page).css(".profile .badge")]
    assert [badge.text() for badge in LexborHTMLParser(bob.get("/people/ana").text).css(".profile .badge")] == ["admin"]
    own = ana.get("/people/Ana").text
    assert "Edit profile" in own
    assert "Block" not in own
    for unknown in ("nobody", "helper", "a%00b"):
        assert ana.get(f"/people/{unknown}").status_code == 404, unknown
    assert 'href="/people/bob"' in ana.get("/people").text

    ana.post("/direct/bob/block", "/people/bob")
    assert "Unblock Robert Miller" in ana.get("/people/bob").text
    ana.post("/people/bob/ban", "/people/bob")
    page = ana.get("/people/bob").text
    assert [badge.text() for badge in LexborHTMLParser(page).css(".profile .badge")] == ["banned"]
    assert 'href="/direct/bob"' not in page
