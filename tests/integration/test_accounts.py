"""Accounts: setup, invitations, signing in and out, settings, commands, and the security of forms and cookies."""

import re
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlencode

import pytest
import requests
import socketio
import structlog
from flask import Flask
from selectolax.lexbor import LexborHTMLParser
from sqlalchemy import select
from structlog.testing import capture_logs
from werkzeug.routing import Map

from chatapp import create_app, deprecation
from chatapp.config import Settings
from chatapp.extensions import db
from chatapp.models import User
from chatapp.presentation.problems import BLUEPRINTS
from tests.harness.html import attribute, find_csrf_token, find_element
from tests.harness.people import PASSWORD, NewPerson, Person
from tests.harness.rows import add_people
from tests.harness.servers import NewServer, Server
from tests.harness.waiting import eventually

PUBLIC = {
    "static",
    "accounts.sign_in",
    "accounts.explain_setup",
    "accounts.setup",
    "accounts.accept_invitation",
    "telemetry.health",
    "metrics.metrics",
    "api_docs.document",
    "webhooks.post",
    "transcripts.shared",
    "offline.manifest",
    "offline.service_worker",
    "offline.show",
}


@pytest.fixture(scope="module")
def url_map(tmp_path_factory: pytest.TempPathFactory) -> Map:
    """All routes of the application."""
    return create_app(Settings(data_dir=tmp_path_factory.mktemp("routes"), database_url="")).url_map


def routes(url_map: Map, method: str) -> list[tuple[str, str]]:
    """List the endpoint and an example path of each page's route with this method."""
    return [
        (rule.endpoint, re.sub(r"<[^>]*>", lambda part: _example(part.group()), rule.rule))
        for rule in url_map.iter_rules()
        if method in (rule.methods or ()) and rule.endpoint.partition(".")[0] not in BLUEPRINTS
    ]


def _example(part: str) -> str:
    """Return a value for a variable part of a route."""
    if part.endswith("conversation>"):
        return "general"
    choice = re.match(r"<any\((\w+)", part)
    return choice[1] if choice else "1" if re.match("<(int|path)|<token>", part) else part


def test_every_page_of_an_empty_installation_redirects_to_the_setup(any_server: Server, url_map: Map) -> None:
    visitor = Person(any_server, "ana")
    pages = [path for endpoint, path in routes(url_map, "GET") if endpoint not in PUBLIC - {"accounts.sign_in"}]
    assert len(pages) > 5
    for path in pages:
        response = visitor.get(path, allow_redirects=False)
        assert (response.status_code, response.headers["Location"]) == (302, "/setup"), path
    assert any_server.rows("SELECT count(*) FROM users") == [(0,)]

    link = any_server.setup_path()
    visitor.set_up()
    assert any_server.rows("SELECT username, role FROM users") == [("ana", "admin")]
    assert any_server.rows("SELECT owner_id FROM installation") == [(visitor.id,)]
    for path in ("/setup", link):
        assert Person(any_server, "eve").get(path).status_code == 404
    token = find_csrf_token(visitor.get("/").text)
    again = visitor.http.post(
        any_server.url + link, data={"csrf_token": token, "username": "eve", "password": PASSWORD}
    )
    assert again.status_code == 404
    assert any_server.rows("SELECT count(*) FROM users") == [(1,)]


def test_the_first_account_needs_the_link_that_the_server_prints(server: Server) -> None:
    lines = f"chatapp is ready on {server.url}\nCreate the owner's account: {server.url}{server.setup_path()}\n"
    assert lines in server.log()
    visitor = Person(server, "mallory")
    explained = visitor.get("/")
    assert (explained.status_code, explained.url) == (403, server.url + "/setup")
    assert "flask --app chatapp setup-link" in explained.text
    assert "<form" not in explained.text
    token = find_csrf_token(visitor.get(server.setup_path()).text)
    form = {"csrf_token": token, "username": "mallory", "password": PASSWORD}
    for path in ("/setup/" + "A" * 43, server.setup_path() + "A", server.setup_path()[:-1], "/setup/ä", "/setup"):
        assert visitor.http.post(server.url + path, data=form).status_code in {403, 404}, path
    assert server.rows("SELECT count(*) FROM users") == [(0,)]


def test_the_setup_link_is_shared_and_survives_a_restart_until_it_is_used(server: Server) -> None:
    path = server.setup_path()
    assert server.flask("setup-link") == f"{server.url}{path}\n"
    server.terminate()
    server.start()
    assert server.setup_path() == path
    Person(server, "ana").set_up()
    server.terminate()
    start = len(server.log())
    server.start()
    assert "/setup" not in server.log()[start:]
    assert "is set up already" in server.flask("setup-link", expect=1)


def test_an_emptied_database_gets_another_setup_link(server: Server) -> None:
    path = server.setup_path()
    server.terminate()
    server.flask("db", "downgrade", "base")
    server.flask("db", "upgrade")
    server.start()
    assert server.setup_path() != path


def test_one_of_many_simultaneous_setups_succeeds_and_the_others_get_an_error(any_server: Server) -> None:
    visitors = [Person(any_server, f"visitor{number}") for number in range(6)]
    path = any_server.setup_path()
    tokens = [find_csrf_token(visitor.get(path).text) for visitor in visitors]

    def set_up(visitor: Person, token: str) -> requests.Response:
        form = {"csrf_token": token, "username": visitor.username, "name": "", "password": PASSWORD}
        return visitor.http.post(any_server.url + path, data=form, allow_redirects=False, timeout=30)

    with ThreadPoolExecutor(len(visitors)) as threads:
        responses = list(threads.map(set_up, visitors, tokens))

    owners = [visitor for visitor, response in zip(visitors, responses, strict=True) if response.status_code == 302]
    assert len(owners) == 1
    for response in responses:
        if response.status_code != 302:
            assert response.status_code in {404, 409}
            assert re.search("Someone else has just set up chatapp|set up already", response.text)
    assert any_server.rows("SELECT username, role FROM users") == [(owners[0].username, "admin")]
    assert owners[0].get("/").ok
    for visitor in visitors:
        visitor.close()


def test_an_invalid_account_is_refused_with_the_reason(server: Server) -> None:
    visitor = Person(server, "ana")
    for field, value, reason in (
        ("username", "", "Enter a username"),
        ("username", "a b", "A username must have"),
        ("username", "everyone", "is reserved"),
        ("password", "short", "at least 10 characters"),
        ("password", "", "Enter a password"),
        ("password", "1234567890", "too easy to guess"),
        ("password", "aaaaaaaaaa", "too easy to guess"),
        ("name", "a\u202eb", "printable"),
    ):
        form = {"username": "ana", "name": "Ana", "password": PASSWORD} | {field: value}
        response = visitor.post(server.setup_path(), server.setup_path(), **form)
        assert 400 <= response.status_code < 500
        assert reason in response.text
        assert PASSWORD not in response.text
    assert server.rows("SELECT count(*) FROM users") == [(0,)]


def test_a_wrong_password_is_reported_and_too_many_attempts_are_throttled(
    server: Server, ana: Person, new_person: NewPerson
) -> None:
    visitor = Person(server, "ana")
    refused = [visitor.sign_in("wrong password")]
    nobody = Person(server, "nobody").sign_in()
    assert refused[0].status_code == nobody.status_code == 403
    for response in (refused[0], nobody):
        assert "Wrong username or password" in response.text
    refused += [visitor.sign_in("wrong password") for _ in range(9)]
    assert [response.status_code for response in refused] == [403] * 10

    # The right password is throttled too, in any spelling of the username.
    throttled = [visitor.sign_in(), Person(server, " ANA").sign_in()]
    assert [response.status_code for response in throttled] == [429, 429]
    assert "Too many requests" in throttled[0].text
    assert "Retry-After" in throttled[0].headers
    # Other accounts can still sign in from the same address.
    bob = new_person(server, "bob")
    assert Person(server, "bob").sign_in().ok
    assert bob.get("/").ok


def test_signing_out_ends_pages_and_sockets_of_this_browser_only(server: Server, ana: Person, bob: Person) -> None:
    socket, elsewhere = bob.connect(), Person(server, "bob")
    assert elsewhere.sign_in(PASSWORD).url == server.url + "/"
    other = elsewhere.connect()
    socket.join()
    copied = bob.cookie

    assert bob.post("/sign-out").url == server.url + "/sign-in"

    socket.wait_for("signed_out")
    eventually(lambda: not socket.is_connected(), "the socket closes")
    assert bob.get("/", allow_redirects=False).status_code == 302
    stolen = requests.get(server.url + "/", headers={"Cookie": copied}, allow_redirects=False)
    assert (stolen.status_code, stolen.headers["Location"]) == (302, "/sign-in?next=/")
    with pytest.raises(socketio.exceptions.ConnectionError):
        Person(server, "bob").connect()
    thief = Person(server, "bob")
    thief.http.headers["Cookie"] = copied
    assert "html" in thief.get("/sidebar", allow_redirects=False).headers["Content-Type"]
    assert thief.get("/sidebar", allow_redirects=False).status_code == 401

    # The other browser is still signed in.
    ana.connect().post("still there?")
    other.join()
    assert other.is_connected()
    assert elsewhere.get("/", allow_redirects=False).ok
    elsewhere.close()


def test_a_new_password_revokes_all_other_login_sessions(server: Server, ana: Person) -> None:
    elsewhere = Person(server, "ana")
    elsewhere.sign_in()
    own_socket, other_socket = ana.connect(), elsewhere.connect()

    def change(current: str, new: str) -> requests.Response:
        return ana.post("/settings/password", "/settings", current_password=current, new_password=new)

    wrong = change("wrong password", "another horse")
    assert (wrong.status_code, "not your current password" in wrong.text) == (403, True)
    assert change(PASSWORD, "short").status_code == 400
    assert "too easy to guess" in change(PASSWORD, "ana1ana1ana").text
    assert other_socket.call("join_chat", {"conversation": "general"})["ok"]

    assert "Your password was changed" in change(PASSWORD, "another horse").text

    other_socket.wait_for("signed_out")
    eventually(lambda: not other_socket.is_connected(), "the other socket closes")
    assert elsewhere.get("/", allow_redirects=False).status_code == 302
    own_socket.post("still here")
    assert own_socket.payloads("signed_out") == []
    assert ana.get("/", allow_redirects=False).ok
    assert Person(server, "ana").sign_in().status_code == 403
    assert Person(server, "ana").sign_in("another horse").ok
    elsewhere.close()


def test_a_new_display_name_is_shown_on_old_and_new_messages(server: Server, ana: Person) -> None:
    socket = ana.connect()
    socket.post("before")
    assert "was changed" in ana.post("/settings/name", "/settings", name="<Ana> & Co").text
    assert "&lt;Ana&gt; &amp; Co" in ana.get("/").text
    assert ana.connect().post("after")["sender"]["name"] == "<Ana> & Co"
    assert ana.post("/settings/name", "/settings", name="\u200b").status_code == 400


def test_signing_in_redirects_within_the_installation_only(server: Server, ana: Person) -> None:
    def land(target: str) -> str:
        page = "/sign-in?" + urlencode({"next": target})
        visitor = Person(server, "ana")
        text = visitor.get(page).text
        form = {"csrf_token": find_csrf_token(text), "username": "ana", "password": PASSWORD, "next": target}
        find_element(text, "input[name=next]")
        response = visitor.http.post(server.url + page, data=form, allow_redirects=False)
        assert response.status_code == 302
        visitor.close()
        return response.headers["Location"]

    assert Person(server, "x").get("/rooms/1?before=5", allow_redirects=False).headers["Location"] == (
        "/sign-in?next=/rooms/1?before%3D5"
    )
    assert land("/rooms?before=5") == "/rooms?before=5"
    for target in ("//evil", "https://evil", "/\\evil", "/\t/evil", "javascript:alert(1)", ""):
        assert land(target) == "/"


def test_no_form_is_accepted_without_its_csrf_token(server: Server, ana: Person, bob: Person, url_map: Map) -> None:
    room = ana.create_room()
    ana.invite(room, bob)
    number = room.removeprefix("room_")
    # Without what the search index notes in the background.
    conversations = "(SELECT id, name, topic, visibility, creator_id, last_event, ended_at FROM conversations)"
    tables = ("users", "user_sessions", conversations, "memberships", "messages", "installation")
    before = {table: server.rows(f"SELECT * FROM {table} ORDER BY 1, 2") for table in tables}
    form = {
        "username": "mallory",
        "name": "Mallory",
        "password": PASSWORD,
        "current_password": PASSWORD,
        "new_password": PASSWORD + "!",
        "content": "forged",
        "client_id": "0e8a4ff2-3c1b-4a57-9d0e-5f2c8f0a1b2c",
        "visibility": "open",
    }
    posts = [path for endpoint, path in routes(url_map, "POST") if endpoint != "webhooks.post"]
    assert len(posts) > 10
    for pattern in posts:
        path = pattern.replace("/rooms/1", f"/rooms/{number}").replace("/members/1/", f"/members/{bob.id}/")
        for extra in ({}, {"csrf_token": "x"}):
            response = ana.http.post(server.url + path, data=form | extra, allow_redirects=False)
            assert response.status_code == 400, path
            assert "This form has expired" in response.text
            assert PASSWORD not in response.text
    assert {table: server.rows(f"SELECT * FROM {table} ORDER BY 1, 2") for table in tables} == before
    # Nor with the token of another user.
    token = find_csrf_token(bob.get("/").text)
    assert ana.http.post(server.url + "/sign-out", data={"csrf_token": token}).status_code == 400


def test_cookies_and_pages_have_security_attributes_and_headers(server: Server, ana: Person) -> None:
    cookie = (
        ana.get("/settings").headers.get("Set-Cookie", "") or Person(server, "x").get("/sign-in").headers["Set-Cookie"]
    )
    assert {"HttpOnly", "SameSite=Lax", "Path=/"} <= {part.strip() for part in cookie.split(";")}
    visitor = Person(server, "x")
    for page in (ana.get("/"), ana.get("/rooms"), ana.get("/nothing"), visitor.get("/sign-in")):
        headers = page.headers
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["X-Frame-Options"] == "DENY"
        assert headers["Referrer-Policy"] == "same-origin"
        assert headers["Cache-Control"] in {"no-store", "private, no-cache"}
        policy = headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        parsed = LexborHTMLParser(page.text)
        assert not parsed.css("script:not([src]), style, [style], [href^='javascript:' i]")
        assert not [name for node in parsed.css("*") for name in node.attributes if name.startswith("on")]
    # Also static files, responses of Socket.IO, and of middleware that refuses a request.
    style_sheet = attribute(visitor.get("/sign-in").text, "link[rel=stylesheet]", "href")
    for path, sent, status in (
        (style_sheet, {}, 200),
        (style_sheet, {"Host": "evil.test"}, 400),
        ("/static/icon.svg", {}, 200),
        ("/socket.io/?EIO=4&transport=polling", {}, 200),
        ("/socket.io/?EIO=4&transport=polling&sid=unknown", {}, 400),
        ("/", {"Host": "evil.test"}, 400),
    ):
        response = ana.get(path, headers=sent)
        assert response.status_code == status, path
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert "frame-ancestors 'none'" in response.headers["Content-Security-Policy"]
        assert response.headers["Content-Type"] != ""


def test_cookies_can_be_restricted_to_https(new_server: NewServer) -> None:
    server = new_server(CHATAPP_SECURE_COOKIES="true").start()
    response = Person(server, "ana").get(server.setup_path())
    assert "Secure" in response.headers["Set-Cookie"]
    assert response.headers["Set-Cookie"].startswith("__Host-chatapp_session=")
    assert "set CHATAPP_SECURE_COOKIES" not in server.log()
    assert "Strict-Transport-Security" in response.headers


def test_a_server_that_others_can_reach_without_https_logs_a_warning(server: Server, new_server: NewServer) -> None:
    assert "set CHATAPP_SECURE_COOKIES" not in server.log()
    assert "set CHATAPP_SECURE_COOKIES" in new_server(HOST="0.0.0.0").start().log()  # noqa: S104


def test_no_page_is_accessible_without_signing_in(server: Server, ana: Person, url_map: Map) -> None:
    ana.connect().post("for members only")
    visitor = Person(server, "eve")
    for endpoint, path in routes(url_map, "GET"):
        if endpoint in PUBLIC:
            continue
        response = visitor.get(path, allow_redirects=False)
        assert response.status_code in ({404} if endpoint == "messages.quote" else {302, 401}), path
        assert response.status_code != 302 or response.headers["Location"].startswith("/sign-in?next=/"), path
        assert "members only" not in response.text
    token = find_csrf_token(visitor.get("/sign-in").text)
    for endpoint, path in routes(url_map, "POST"):
        if endpoint not in PUBLIC:
            assert visitor.http.post(server.url + path, data={"csrf_token": token}).status_code == 401, path


def test_a_socket_without_a_cookie_or_for_another_user_or_from_another_origin_is_refused(
    server: Server, ana: Person
) -> None:
    def refusal(cookie: str = "", origin: str = server.url, **auth: int) -> object:
        """Connect as a page does, and return the reason of the refusal."""
        client = socketio.Client(reconnection=False)
        reasons: list[object] = []
        client.on("connect_error", reasons.append)
        headers = {"Cookie": cookie, "Origin": origin}
        try:
            client.connect(server.url, headers=headers, auth=auth, transports=["polling"])
        except socketio.exceptions.ConnectionError:
            return reasons[0]
        finally:
            client.disconnect()
        return None

    assert refusal(ana.cookie) is None
    assert refusal(ana.cookie, user_id=ana.id) is None
    for refused in (refusal(), refusal("chatapp_session=x"), refusal(ana.cookie, user_id=ana.id + 1)):
        assert refused == {"message": "signed_out"}
    assert refusal(ana.cookie, origin="http://evil.example") is not None


def test_accounts_are_created_signed_out_and_get_new_passwords_on_the_command_line(
    new_server: NewServer, database_url: str
) -> None:
    server = new_server(database_url=database_url)
    assert server.flask("users", "create", "Ana", "--admin", stdin=PASSWORD + "\n") == "Created the admin ana.\n"
    assert (
        server.flask("users", "create", "bob", "--display-name", "Bob B.", stdin=PASSWORD)
        == "Created the account bob.\n"
    )
    assert server.rows("SELECT username, name, role FROM users ORDER BY id") == [
        ("ana", "ana", "admin"),
        ("bob", "Bob B.", "member"),
    ]

    server.start()
    assert Person(server, "bob").sign_in().ok
    ana = Person(server, "ana")
    assert ana.sign_in().url == server.url + "/"
    assert ana.invitation()

    bob = Person(server, "bob")
    bob.sign_in()
    api, sockets = bob.api(), [ana.connect(), bob.connect()]
    assert server.flask("users", "sign-out", "bob") == "Ended 2 login sessions.\n"
    eventually(lambda: not sockets[1].is_connected(), "the socket is closed")
    assert ana.get("/", allow_redirects=False).ok
    assert api.get("/conversations").ok
    assert server.flask("users", "sign-out", "--all") == "Ended 1 login sessions.\n"
    eventually(lambda: not sockets[0].is_connected(), "the socket is closed")
    assert "or use --all" in server.flask("users", "sign-out", expect=2)

    assert bob.sign_in().ok
    new = "a quite different password"
    assert "too easy" in server.flask("users", "password", "bob", stdin="password1234", expect=1)
    assert server.flask("users", "password", "@Bob", stdin=new) == "@Bob has a new password.\n"
    assert bob.get("/", allow_redirects=False).status_code == 302
    assert api.get("/conversations").status_code == 401
    assert bob.sign_in().status_code == 403
    assert bob.sign_in(new).ok
    assert "no account" in server.flask("users", "password", "nobody", stdin=new, expect=1)
    changed = server.rows(
        "SELECT kind, target FROM audit_log WHERE actor_id IS NULL AND kind NOT LIKE 'user%' AND kind NOT LIKE 'sign%'"
    )
    assert set(changed) == {
        ("login_session.revoked", "2 of @bob"),
        ("login_session.revoked", "all 1"),
        ("password.changed", "@bob"),
        ("token.revoked", "@bob a program"),
    }
    for person in (ana, bob):
        person.close()


def test_the_command_line_reports_why_an_account_cannot_be_created(app: Flask) -> None:
    def create(*arguments: str, password: str | bytes = PASSWORD) -> tuple[int, str]:
        done = app.test_cli_runner().invoke(args=("users", "create", *arguments), input=password)
        assert done.exception is None or isinstance(done.exception, SystemExit)
        return done.exit_code, done.output

    assert create("ana") == (0, "Created the account ana.\n")
    for arguments, password, reason in (
        (("ANA",), PASSWORD, "is taken"),
        (("a b",), PASSWORD, "A username must have"),
        (("here",), PASSWORD, "is reserved"),
        (("cleo",), "short", "at least 10 characters"),
        (("cleo",), "", "at least 10 characters"),
        (("cleo",), b"correct \xff battery", "not UTF-8"),
        (("cleo", "--display-name", "x" * 65), PASSWORD, "A display name must have"),
    ):
        code, printed = create(*arguments, password=password)
        assert (code, reason in printed) == (1, True), printed
    assert db.session.scalars(select(User.username)).all() == ["ana"]


def test_a_command_under_its_old_name_works_and_logs_the_new_one(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    # A logger that structlog has not bound to the configuration of another application.
    monkeypatch.setattr(deprecation, "log", structlog.get_logger())
    shell = app.test_cli_runner()
    shell.invoke(args=("users", "create", "ana"), input=PASSWORD)
    shell.invoke(args=("users", "ban", "ana"))
    with capture_logs() as logs:
        assert shell.invoke(args=("users", "let-back", "ana")).output == "ana can sign in again.\n"
    assert "users let-back` was renamed to `" in logs[0]["event"]
    assert db.session.scalars(select(User.is_active)).all() == [True]
    assert "let-back" not in shell.invoke(args=("users", "--help")).output


def test_the_people_page_lists_and_finds_two_hundred_people_in_pages(server: Server, ana: Person) -> None:
    add_people(server, *(f"person{number:03}" for number in range(200)))

    def listed(**query: str) -> tuple[list[str], bool]:
        page = LexborHTMLParser(ana.get("/people", params=query).text)
        names = [str(row.text()).strip() for row in page.css("[aria-labelledby=everyone] .row-detail")]
        return names, page.css_first(".pages a:lexbor-contains('Next')") is not None

    found, number, has_more = list[str](), 0, True
    while has_more:
        number += 1
        names, has_more = listed(page=str(number))
        found += names
    assert number == 5
    assert found == ["@ana", *(f"@person{number:03}" for number in range(200))]
    assert listed(q="PERSON01") == ([f"@person{number:03}" for number in range(10, 20)], False)
    assert listed(q="nobody") == ([], False)
    assert listed(page="99999999999") == listed(page="77") == ([], False)
    menu = LexborHTMLParser(ana.get("/people", params={"q": "person007"}).text).css("[popover].is-anchored a")
    assert [item.text().strip() for item in menu] == ["Message", "Profile", "Ban…"]


def test_the_list_of_banned_people_has_pages_too(server: Server, ana: Person) -> None:
    add_people(server, *(f"person{number:02}" for number in range(60)))
    server.execute("UPDATE users SET is_active = false WHERE username LIKE 'person%'")

    def listed(path: str) -> tuple[list[str], list[str]]:
        page = LexborHTMLParser(ana.get(path).text)
        names = [str(row.text()).strip() for row in page.css("[aria-labelledby=banned] .row-detail")]
        return names, [link.attributes["href"] or "" for link in page.css("[aria-labelledby=banned] .pages a")]

    first, links = listed("/people")
    assert links == ["/people?banned_page=2"]
    second, links = listed(links[0])
    assert links == ["/people"]
    assert first + second == [f"@person{number:02}" for number in range(60)]
