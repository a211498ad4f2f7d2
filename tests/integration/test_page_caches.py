"""Pages that are put together from what was read and rendered before: how many queries they need, and that they show
every change at once, also one by another process. Two applications on one database.
"""

import re
import uuid
from collections.abc import Callable, Iterator
from itertools import count
from unittest.mock import patch

import pytest
from flask import Flask
from itsdangerous import TimestampSigner
from sqlalchemy import update

from chatapp import create_app
from chatapp.accounts.login_sessions import create_login_session, end_login_sessions
from chatapp.accounts.service import change_display_name, create_owner, create_user
from chatapp.actors import Actor
from chatapp.config import Settings
from chatapp.conversations.preferences import update_preferences
from chatapp.conversations.refs import GENERAL, direct_ref, room_ref
from chatapp.conversations.service import create_room, open_direct
from chatapp.extensions import db
from chatapp.models import Installation, Message
from chatapp.presentation.conversations import MESSAGES_HEADER
from chatapp.rooms.service import invite, remove, update_room
from chatapp.storage import current_writer, write
from chatapp.storage.statements import StatementObserver
from chatapp.timeline import MoveReadMarker, delete, edit, mark_read, post, react
from chatapp.timeline.cleanup import clear
from chatapp.web.security import SESSION_COOKIE
from tests.harness.html import find_csrf_token
from tests.harness.servers import SqliteTemplate

PASSWORD = "correct horse battery"


class Chat:
    """Ana, who uses one process, and Bob, whose changes are made by another one. They share a room."""

    def __init__(self, app: Flask, other: Flask) -> None:
        self.app, self._other = app, other
        with other.app_context():
            self.ana = Actor(create_owner("ana", "Ana", PASSWORD))
            self.bob = Actor(create_user("bob", "Bob", PASSWORD, is_admin=False))
            self.room_id = create_room(self.bob, "Plans", "", "private")
            invite(self.bob, self.room_id, ["ana"])
        self.room = room_ref(self.room_id)
        self.path = f"/rooms/{self.room_id}"
        self.client = app.test_client()
        with app.app_context():
            token = create_login_session(self.ana.user_id)
            serializer = app.session_interface.get_signing_serializer(app)  # type: ignore[attr-defined]
        content = {"_user_id": token, "_fresh": True, "_permanent": True, "csrf_token": "0" * 40}
        self.cookie = serializer.dumps(content)
        self.client.set_cookie(SESSION_COOKIE, self.cookie)

    def get(self, path: str = "") -> str:
        """Return a page as Ana sees it; by default that of the room."""
        response = self.client.get(path or self.path)
        assert response.status_code == 200, response.status
        return response.text

    def change(self, change: Callable[..., object], *arguments: object, **options: object) -> None:
        """Make a change by the other process."""
        with self._other.app_context():
            change(*arguments, **options)

    def post(self, content: str = "Hello", ref: object = None, actor: Actor | None = None) -> None:
        """Post a message by the other process, as Bob unless it is for somebody else."""
        self.change(post, ref or self.room, actor or self.bob, content=content, client_id=str(uuid.uuid4()))

    def count_queries(self, path: str) -> int:
        """Return how many queries a request of Ana needs."""
        statements: list[str] = []

        def note(_observer: StatementObserver, statement: str, _seconds: float) -> None:
            if statement != ";":  # The check of a connection to PostgreSQL.
                statements.append(statement)

        with patch.object(StatementObserver, "add", note):
            self.get(path)
        return len(statements)

    def unread(self, path: str = "") -> int:
        """Return the unread count of the room in the sidebar."""
        entry = re.search(
            rf'data-entry="{self.room.wire_name}".*?data-unread="(\d+)"', self.get(path or "/"), re.DOTALL
        )
        assert entry is not None
        return int(entry[1])


@pytest.fixture
def chat(sqlite_template: SqliteTemplate, database_url: str, cheap_hashes: None) -> Iterator[Chat]:
    data_dir = sqlite_template.copy()
    settings = Settings(data_dir=data_dir, database_url=database_url, allowed_hosts="*", log_level="WARNING")
    apps = [create_app(settings) for _ in range(2)]
    yield Chat(*apps)
    for app in apps:
        with app.app_context():
            current_writer().stop(5)
            db.engine.dispose()


def test_a_page_needs_four_queries_when_its_caches_are_warm_and_eight_when_they_are_cold(chat: Chat) -> None:
    chat.change(open_direct, chat.bob, [chat.ana.user_id])
    with chat.app.app_context():
        direct = direct_ref(open_direct(chat.ana, [chat.bob.user_id]).id)
    chat.post("Hello", direct)
    chat.post("Hello @ana", GENERAL)
    for number in range(20):
        chat.post(f"Message {number} for @ana")
    chat.change(react, chat.room, chat.bob, 20, "👍", on=True)
    chat.get("/people")  # The check whether there is an owner is made once.

    assert chat.count_queries(chat.path) <= 8, "cold"
    assert chat.count_queries(chat.path) <= 4, "warm"
    assert chat.count_queries("/") <= 8, "General, cold"
    assert chat.count_queries("/") <= 4, "General, warm"
    assert chat.count_queries("/sidebar") <= 2

    chat.post("A new message")
    assert chat.count_queries(chat.path) <= 6, "after a message"
    assert chat.count_queries(chat.path) <= 4


@pytest.mark.parametrize(
    ("requested", "shown"), [(None, 10), ("5", 10), ("20", 20), ("1000", 50), ("-1", 10), ("many", 10)]
)
def test_a_page_has_the_last_ten_messages_or_as_many_as_fit_the_window(
    chat: Chat, requested: str | None, shown: int
) -> None:
    for number in range(55):
        chat.post(f"Message {number}")
    headers = {} if requested is None else {MESSAGES_HEADER: requested}
    page = chat.client.get(chat.path, headers=headers).text
    assert page.count(' data-seq="') == shown


def test_messages_of_pages_and_of_the_api_show_each_change_at_once(chat: Chat) -> None:
    api = f"/api/conversations/{chat.room.wire_name}/messages"

    def shows(text: str) -> bool:
        pages = [chat.get(path) for path in (chat.path, api, f"/conversations/{chat.room.wire_name}/messages")]
        assert len({text in page for page in pages}) == 1, text
        return text in pages[0]

    chat.post("first text")
    assert shows("first text")
    chat.change(edit, chat.room, chat.bob, 1, content="second text")
    assert shows("second text")
    assert not shows("first text")
    chat.change(react, chat.room, chat.bob, 1, "🎉", on=True)
    assert shows("🎉")
    chat.change(change_display_name, chat.bob, "Robert")
    assert shows("Robert")
    assert not shows(">Bob<")
    chat.change(delete, chat.room, chat.bob, 1)
    assert not shows("second text")
    chat.post("third text")
    assert shows("third text")
    chat.change(clear, chat.bob, chat.room)
    assert not shows("third text")


def test_a_message_of_a_restored_database_takes_the_place_of_one_with_the_same_id_and_version(chat: Chat) -> None:
    chat.post("of the lost time")
    assert "of the lost time" in chat.get()

    def restore(_: object = None) -> None:
        def change(transaction: object) -> None:
            transaction.session.execute(update(Message).values(content="of the backup"))  # type: ignore[attr-defined]
            transaction.session.execute(update(Installation).values(epoch="another"))  # type: ignore[attr-defined]

        write(change)

    chat.change(restore)
    page = chat.get()
    assert "of the backup" in page
    assert "of the lost time" not in page


def test_the_sidebar_shows_each_change_of_another_process_at_once(chat: Chat) -> None:
    assert chat.unread() == 0
    chat.post("one", actor=chat.bob)
    chat.post("two @ana")
    assert chat.unread() == 2
    assert 'data-mentions="1"' in chat.get()
    chat.change(mark_read, chat.room, chat.ana, 2)
    assert chat.unread() == 0
    chat.change(write, MoveReadMarker.to_unread(chat.room, chat.ana, 2))
    assert chat.unread("/sidebar") == 1
    chat.change(delete, chat.room, chat.bob, 2)
    assert 'data-mentions="1"' not in chat.get("/")
    chat.change(update_room, chat.bob, chat.room_id, "Other plans", "", "open")
    assert "Other plans" in chat.get("/")
    assert "(private)" not in chat.get("/")

    chat.change(open_direct, chat.bob, [chat.ana.user_id])
    with chat.app.app_context():
        direct = direct_ref(open_direct(chat.ana, [chat.bob.user_id]).id)
    chat.post("Hello", direct)
    assert 'href="/direct/bob"' in chat.get("/")
    chat.change(change_display_name, chat.bob, "Robert")
    assert ">Robert</span>" in chat.get("/")

    chat.change(update_preferences, chat.room, chat.ana, {"is_muted": True})
    assert "(muted)" in chat.get("/")
    assert "Unmute" in chat.get()
    chat.change(update_preferences, chat.room, chat.ana, {"is_favorite": True})
    assert "Favorites" in chat.get("/sidebar")
    assert "Remove from favorites" in chat.get()

    chat.change(remove, chat.bob, chat.room_id, chat.ana.user_id)
    assert "Other plans" not in chat.get("/")
    chat.change(update_room, chat.bob, chat.room_id, "Plans", "", "private")
    assert chat.client.get(chat.path).status_code == 404


def test_the_sidebar_marks_the_page_that_is_shown(chat: Chat) -> None:
    current = re.compile(r'<a href="([^"]*)" aria-current="page"')
    for path in ("/", chat.path, "/rooms", "/", "/direct", "/people"):
        assert current.findall(chat.get(path)) == ([] if path == "/people" else [path])


def test_a_page_that_has_not_changed_is_sent_once(chat: Chat, monkeypatch: pytest.MonkeyPatch) -> None:
    # Time passes, as signatures see it.
    seconds = count(2_000_000_000)
    monkeypatch.setattr(TimestampSigner, "get_timestamp", lambda _self: next(seconds))
    chat.post()
    for path in (chat.path, "/", "/sidebar", f"/conversations/{chat.room.wire_name}/messages", "/rooms"):
        page = chat.client.get(path)
        assert (page.headers["Cache-Control"], page.vary.as_set()) == (
            "private, no-cache",
            {"accept-encoding", "cookie"},
        )
        etag = page.headers["ETag"]
        again = chat.client.get(path, headers={"If-None-Match": etag})
        assert (again.status_code, again.data, again.headers["ETag"]) == (304, b"", etag), path
        assert again.headers["Cache-Control"] == "private, no-cache"
        compressed = chat.client.get(path, headers={"Accept-Encoding": "gzip"}).headers["ETag"]
        assert chat.client.get(path, headers={"If-None-Match": compressed}).status_code == 304, path
    chat.post("a new message")
    assert chat.client.get(chat.path, headers={"If-None-Match": etag}).status_code == 200


def test_pages_are_not_kept_where_signing_out_cannot_clear_them(chat: Chat) -> None:
    chat.get()
    cookie = f"{SESSION_COOKIE}={chat.cookie}"
    for url, caching in (
        ("http://127.0.0.1:5000", "private, no-cache"),
        ("http://localhost", "private, no-cache"),
        ("https://chat.example", "private, no-cache"),
        ("http://chat.example", "no-store"),
        ("http://192.168.1.5:5000", "no-store"),
    ):
        response = chat.app.test_client(use_cookies=False).get(chat.path, base_url=url, headers={"Cookie": cookie})
        assert response.headers["Cache-Control"] == caching, url


def test_pages_with_secrets_and_those_after_a_form_are_not_kept(chat: Chat) -> None:
    chat.get()
    for path in ("/settings", "/settings/tokens", "/people/invitations", "/admin/access", "/sign-in"):
        response = chat.client.get(path, follow_redirects=True)
        assert response.headers["Cache-Control"] == "no-store", path
    with chat.client.session_transaction() as session:
        session["_flashes"] = [("message", "Settings saved.")]
    page = chat.client.get("/rooms")
    assert "Settings saved." in page.text
    assert page.headers["Cache-Control"] == "no-store"
    assert chat.client.get("/rooms").headers["Cache-Control"] == "private, no-cache"


def test_pages_are_forgotten_when_a_login_session_ends_and_when_another_person_signs_in(chat: Chat) -> None:
    chat.get()
    chat.change(end_login_sessions, "ana")
    response = chat.client.get(chat.path)
    assert (response.status_code, response.headers["Clear-Site-Data"]) == (302, '"cache"')
    assert "Clear-Site-Data" not in chat.app.test_client().get(chat.path).headers, "a visitor has no pages"

    form = {"csrf_token": find_csrf_token(chat.client.get("/sign-in").text), "username": "bob", "password": PASSWORD}
    response = chat.client.post("/sign-in", data=form)
    assert (response.status_code, response.headers["Clear-Site-Data"]) == (302, '"cache"')
    assert 'data-user-id="2"' in chat.get()
