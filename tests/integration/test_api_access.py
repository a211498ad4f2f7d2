"""Authentication of API requests: tokens, and cookies with a CSRF token."""

import re
import uuid
from functools import partial

import pytest
import requests

from chatapp.actors import Actor
from chatapp.conversations.refs import GENERAL
from chatapp.errors import SignedOut
from chatapp.models import ApiToken, Membership, User
from chatapp.storage import Transaction, write
from chatapp.timeline import delete, edit, mark_read, post, react
from tests.harness.api import MESSAGES, check_problem, list_seqs, post_message
from tests.harness.html import find_csrf_token
from tests.harness.people import PASSWORD, NewPerson, Person
from tests.harness.servers import NewServer, Server


def test_a_token_is_shown_once_and_stored_hashed(server: Server, ana: Person) -> None:
    token = ana.create_token(name="Nightly report")
    assert ana.api(token).get("/conversations").ok

    page = ana.get("/settings/tokens").text
    assert "Nightly report" in page
    assert "last used on" in page
    assert token not in page
    assert token.encode() not in b"".join(path.read_bytes() for path in server.data_dir.iterdir() if path.is_file())
    ((token_hash, scopes),) = server.rows("SELECT token_hash, scopes FROM api_tokens")
    assert re.fullmatch(r"[0-9a-f]{64}", str(token_hash))
    assert scopes == "read write"


def test_a_revoked_token_is_refused(any_server: Server, new_person: NewPerson) -> None:
    ana, bob = (new_person(any_server, name) for name in ("ana", "bob"))
    api = ana.api()
    post_message(api, "before")
    ((number,),) = any_server.rows("SELECT id FROM api_tokens")
    assert bob.post(f"/settings/tokens/{number}/revoke", "/settings/tokens").status_code == 404
    post_message(api, "still")

    assert ana.post(f"/settings/tokens/{number}/revoke", "/settings/tokens").ok

    assert check_problem(api.get(MESSAGES)) == (401, "signed_out")
    response = api.post(MESSAGES, json={"content": "after"})
    assert check_problem(response) == (401, "signed_out")
    assert response.headers["WWW-Authenticate"].startswith("Bearer")
    assert any_server.rows("SELECT count(*) FROM messages") == [(2,)]


def test_a_token_of_an_inactive_account_is_refused(any_server: Server, new_person: NewPerson) -> None:
    ana, bob = (new_person(any_server, name) for name in ("ana", "bob"))
    bob_api = bob.api()
    assert bob_api.get("/conversations").ok
    any_server.execute("UPDATE users SET is_active = FALSE WHERE username = 'bob'")
    assert check_problem(bob_api.get("/conversations")) == (401, "signed_out")
    assert check_problem(bob_api.post(MESSAGES, json={"content": "x"})) == (401, "signed_out")
    assert ana.api().get("/conversations").ok


@pytest.mark.usefixtures("app")
def test_a_change_with_a_revoked_token_is_refused_in_its_transaction() -> None:
    def make(transaction: Transaction) -> None:
        transaction.session.add(User(id=1, username="ana", name="Ana", password_hash="x"))
        transaction.session.flush()
        transaction.session.add(Membership(conversation_id=GENERAL.id, user_id=1))
        transaction.session.add(ApiToken(id=1, user_id=1, token_hash="x", name="x", scopes="read write"))

    write(make)
    posted = post(GENERAL, Actor(1, token_id=1), content="hello", client_id=str(uuid.uuid4()))
    revoked = Actor(1, token_id=2)
    assert posted.seq is not None
    for write_something in (
        partial(post, GENERAL, revoked, content="x", client_id=str(uuid.uuid4())),
        partial(edit, GENERAL, revoked, posted.seq, content="x"),
        partial(delete, GENERAL, revoked, posted.seq),
        partial(react, GENERAL, revoked, posted.seq, "👍", on=True),
        partial(mark_read, GENERAL, revoked, posted.seq),
    ):
        with pytest.raises(SignedOut):
            write_something()
    assert edit(GENERAL, Actor(1, token_id=1), posted.seq, content="changed").version == 2


def test_a_read_only_token_cannot_write(server: Server, ana: Person) -> None:
    seq = post_message(ana.api(), "hello")["seq"]
    reader = ana.api(ana.create_token("read"))
    assert list_seqs(reader.get(MESSAGES).json()) == [seq]
    for method, path, body in (
        ("POST", MESSAGES, {"content": "x"}),
        ("PATCH", f"{MESSAGES}/{seq}", {"content": "x"}),
        ("DELETE", f"{MESSAGES}/{seq}", None),
        ("PUT", f"{MESSAGES}/{seq}/reactions/👍", None),
        ("DELETE", f"{MESSAGES}/{seq}/reactions/👍", None),
        ("POST", "/conversations/general/read", {"seq": seq}),
        ("POST", "/chat/mark-read/1", None),
    ):
        assert check_problem(reader.request(method, path, json=body)) == (403, "forbidden"), (method, path)
    assert server.rows("SELECT content, version FROM messages") == [("hello", 1)]


def test_a_request_without_valid_credentials_gets_an_error_and_no_redirect(server: Server, ana: Person) -> None:
    for headers in (
        {},
        {"Authorization": ""},
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer wrong"},
        {"Authorization": "Bearer \xff"},
        {"Authorization": "Basic YW5hOnBhc3N3b3Jk"},
        {"Authorization": "Basic \xff"},
        {"Cookie": "chatapp_session=x"},
        # An invalid token is not replaced by the cookie.
        {"Authorization": "Bearer wrong", "Cookie": ana.cookie},
    ):
        for path in ("/conversations", MESSAGES, "/chat/history/1"):
            response = requests.get(f"{server.url}/api{path}", headers=headers, allow_redirects=False)
            assert check_problem(response) == (401, "signed_out"), (path, headers)


def test_a_token_does_not_authenticate_page_requests(server: Server, ana: Person) -> None:
    headers = {"Authorization": f"Bearer {ana.create_token()}"}
    for path in ("/", "/settings", "/settings/tokens", "/people"):
        response = requests.get(server.url + path, headers=headers, allow_redirects=False)
        assert response.is_redirect, path


def test_the_number_of_tokens_and_their_names_are_limited(server: Server, ana: Person) -> None:
    ana.create_token()
    server.execute(
        "INSERT INTO api_tokens (user_id, token_hash, name, scopes, created_at) "
        "WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 49) "
        "SELECT 1, n, 'x', 'read', '2026-01-01 00:00:00' FROM numbers"
    )
    valid = {"name": "one more", "scope": "read", "days": "7", "password": PASSWORD}
    response = ana.post("/settings/tokens", "/settings/tokens", **valid)
    assert (response.status_code, "at most 50 tokens" in response.text) == (409, True)
    for field, value in (("name", ""), ("name", "x" * 65), ("scope", "admin"), ("days", "8"), ("password", "")):
        assert ana.post("/settings/tokens", "/settings/tokens", **valid | {field: value}).status_code == 400


def test_a_token_is_created_only_with_the_password(new_server: NewServer, new_person: NewPerson) -> None:
    server = new_server(CHATAPP_SIGN_IN_ATTEMPTS="2").start()
    ana = new_person(server, "ana")
    form = {"name": "stolen", "scope": "write", "days": "365"}
    for _ in range(2):
        response = ana.post("/settings/tokens", "/settings/tokens", **form, password="wrong password")
        assert (response.status_code, "not your current password" in response.text) == (403, True)
    assert ana.post("/settings/tokens", "/settings/tokens", **form, password=PASSWORD).status_code == 429
    assert server.rows("SELECT count(*) FROM api_tokens") == [(0,)]


def test_an_expired_token_is_refused(server: Server, ana: Person) -> None:
    api = ana.api()
    post_message(api, "before")
    assert "expires on" in ana.get("/settings/tokens").text
    server.execute("UPDATE api_tokens SET expires_at = '2026-01-01 00:00:00'")
    assert check_problem(api.get(MESSAGES)) == (401, "signed_out")
    assert "<strong>expired</strong>" in ana.get("/settings/tokens").text
    server.execute("UPDATE api_tokens SET expires_at = NULL")
    assert api.get(MESSAGES).ok, "tokens from before tokens expired are valid"


def test_a_browser_with_a_csrf_token_can_read_and_write(server: Server, ana: Person) -> None:
    assert ana.get(f"/api{MESSAGES}").ok
    body = {"content": "from the browser"}
    headers = {"X-CSRFToken": find_csrf_token(ana.get("/").text)}
    assert ana.http.post(f"{server.url}/api{MESSAGES}", json=body, headers=headers).status_code == 201
    for method, path in (
        ("POST", MESSAGES),
        ("PATCH", f"{MESSAGES}/1"),
        ("DELETE", f"{MESSAGES}/1"),
        ("PUT", f"{MESSAGES}/1/reactions/👍"),
        ("DELETE", f"{MESSAGES}/1/reactions/👍"),
        ("POST", "/conversations/general/read"),
        ("POST", "/chat/mark-read/1"),
    ):
        for forged in ({}, {"X-CSRFToken": "x"}, {"X-CSRFToken": headers["X-CSRFToken"][:-1]}):
            response = ana.http.request(method, f"{server.url}/api{path}", json=body, headers=forged)
            assert check_problem(response) == (403, "forbidden"), (method, path)
    assert server.rows("SELECT content, version FROM messages") == [("from the browser", 1)]
    ana.post("/sign-out")
    assert check_problem(ana.get(f"/api{MESSAGES}")) == (401, "signed_out")
