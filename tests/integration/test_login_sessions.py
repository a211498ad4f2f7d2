"""Login sessions: where a user is signed in, signing out elsewhere, and expiry."""

import threading
import uuid
from datetime import timedelta

import pytest
import socketio
from flask import Flask
from selectolax.lexbor import LexborHTMLParser
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from chatapp.accounts import login
from chatapp.accounts.login_sessions import create_login_session, record_login_use
from chatapp.accounts.service import create_owner, create_user
from chatapp.actors import Actor, find_active_actors
from chatapp.config import current_settings
from chatapp.conversations.refs import GENERAL
from chatapp.errors import SignedOut
from chatapp.extensions import db
from chatapp.models import LoginSession, now
from chatapp.realtime.application import get_realtime
from chatapp.serving.background import maintain_login_sessions
from chatapp.storage import current_writer, write
from chatapp.timeline import post
from tests.harness.people import PASSWORD, Person, Socket
from tests.harness.servers import Server
from tests.harness.waiting import eventually

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


def sign_in_elsewhere(server: Server, username: str, user_agent: str = FIREFOX) -> tuple[Person, Socket]:
    person = Person(server, username)
    person.http.headers["User-Agent"] = user_agent
    assert person.sign_in().ok
    return person, person.connect()


def listed(person: Person) -> list[str]:
    """Return what the settings show of each login session."""
    page = LexborHTMLParser(person.get("/settings").text)
    return [" ".join(row.text().split()) for row in page.css("[aria-labelledby=your-logins] .row-text")]


def test_login_sessions_are_listed_and_ended_one_by_one_or_all_but_this_one(
    server: Server, ana: Person, bob: Person
) -> None:
    firefox, firefox_socket = sign_in_elsewhere(server, "ana")
    script, script_socket = sign_in_elsewhere(server, "ana", "<b>a script</b>")
    own_socket, bobs_socket = ana.connect(), bob.connect()
    rows = listed(ana)
    assert len(rows) == 3
    assert any(row.startswith("Firefox on Linux Signed in on ") and " last active on " in row for row in rows)
    assert any(row.startswith("<b>a script</b> Signed in on ") for row in rows)
    assert [row for row in rows if "this browser" in row] == [row for row in rows if row.endswith("active now")]

    ((number,),) = server.rows("SELECT id FROM user_sessions WHERE device LIKE '%Firefox%'")
    path = f"/settings/logins/{number}/end"
    assert bob.post(path, "/settings").status_code == 404
    assert "signed out in that browser" in ana.post(path, "/settings").text
    firefox_socket.wait_for("signed_out")
    eventually(lambda: not firefox_socket.is_connected(), "the socket closes")
    assert firefox.get("/", allow_redirects=False).status_code == 302
    assert script.get("/", allow_redirects=False).ok

    assert "in all other browsers" in ana.post("/settings/logins/end", "/settings").text
    script_socket.wait_for("signed_out")
    assert script.get("/", allow_redirects=False).status_code == 302
    assert len(listed(ana)) == 1
    assert own_socket.post("still here")
    assert bobs_socket.post("here too")
    assert server.rows("SELECT count(*) FROM audit_log WHERE kind = 'login_session.revoked'") == [(2,)]
    firefox.close()
    script.close()


def test_signing_in_again_in_a_browser_ends_its_former_login(server: Server, ana: Person, bob: Person) -> None:
    socket, former = ana.connect(), ana.http.cookies.copy()
    assert ana.sign_in().ok
    socket.wait_for("signed_out")
    assert len(listed(ana)) == 1
    ana.username = "bob"
    assert ana.sign_in("a wrong password").status_code == 403
    assert ana.get("/", allow_redirects=False).ok, "nothing ends before the password is right"
    assert ana.sign_in().ok
    assert server.rows("SELECT user_id FROM user_sessions ORDER BY id") == [(bob.id,), (bob.id,)]
    ana.http.cookies = former
    assert ana.get("/", allow_redirects=False).status_code == 302


def test_signing_out_clears_cached_pages_but_no_unsent_messages(ana: Person) -> None:
    redirect, *_ = ana.post("/sign-out").history
    assert redirect.headers["Clear-Site-Data"] == '"cache"'


def test_only_a_request_that_changes_the_session_cookie_sets_it(ana: Person) -> None:
    # The script's request for the sidebar may be answered after the form: its response must not restore an old cookie.
    assert "Set-Cookie" not in ana.get("/sidebar").headers
    redirect, *_ = ana.post("/settings/receipts", "/settings").history
    assert "Set-Cookie" in redirect.headers


@pytest.mark.parametrize("column", ["idle_expires_at", "expires_at"])
def test_an_expired_login_session_opens_no_page_and_no_socket(server: Server, ana: Person, column: str) -> None:
    assert ana.get("/", allow_redirects=False).ok
    server.execute(f"UPDATE user_sessions SET {column} = '2026-01-01 00:00:00'")
    assert ana.get("/", allow_redirects=False).headers["Location"].startswith("/sign-in")
    with pytest.raises(socketio.exceptions.ConnectionError):
        ana.connect()
    assert ana.sign_in(PASSWORD).ok
    assert ana.connect().post("signed in again")


def test_nobody_waits_until_the_use_of_a_login_session_is_stored(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    # A commit may take long: PostgreSQL waits for a synchronous replica without a limit.
    token = create_login_session(create_owner("ana", "Ana", PASSWORD))
    monkeypatch.setattr(login, "LAST_SEEN_INTERVAL", timedelta())
    client = app.test_client()
    with client.session_transaction() as cookie:
        cookie["_user_id"] = token
    may_commit, committed = threading.Event(), threading.Event()
    current_writer().submit_and_call(lambda _transaction: may_commit.wait(20), lambda _submission: committed.set())
    assert client.get("/").status_code == 200
    assert not committed.is_set()
    may_commit.set()


def test_login_sessions_expire_as_configured_and_use_prolongs_them(app: Flask) -> None:
    user_id = create_user("ana", "", PASSWORD, is_admin=True)
    create_login_session(user_id, device=FIREFOX)
    settings = current_settings()

    def load(session: Session) -> LoginSession:
        db.session.rollback()
        return session.scalars(select(LoginSession)).one()

    def record_use(login_session_id: int) -> None:
        record_login_use([login_session_id])
        write(lambda _transaction: None)  # The use is stored before it, and nobody waits for that.

    def set_times(**values: timedelta) -> None:
        moments = {name: now() + offset for name, offset in values.items()}
        write(lambda transaction: transaction.session.execute(update(LoginSession).values(moments)))

    created = load(db.session())
    assert created.expires_at - created.created_at == pytest.approx(
        timedelta(days=settings.login_max_days), abs=timedelta(minutes=1)
    )
    record_use(created.id)
    assert load(db.session()).last_seen_at == created.last_seen_at, "it was recorded a moment ago"

    set_times(last_seen_at=-timedelta(hours=1), idle_expires_at=timedelta(days=1))
    before = load(db.session()).expires_at
    record_use(created.id)
    used = load(db.session())
    assert now() - used.last_seen_at < timedelta(minutes=1)
    assert used.idle_expires_at - used.last_seen_at > timedelta(days=settings.login_idle_days - 1)
    assert used.expires_at == before

    actor = Actor(user_id, used.id)
    maintain_login_sessions(app, get_realtime(app))
    assert find_active_actors(db.session(), [actor]) == {actor}
    set_times(expires_at=-timedelta(seconds=1))
    db.session.rollback()
    assert find_active_actors(db.session(), [actor]) == set()
    with pytest.raises(SignedOut):
        post(GENERAL, actor, content="too late", client_id=str(uuid.uuid4()))
    maintain_login_sessions(app, get_realtime(app))
    db.session.rollback()
    assert db.session.scalars(select(LoginSession)).all() == []
