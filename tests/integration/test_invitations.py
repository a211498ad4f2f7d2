"""Invitation links: their limits, who may create and revoke them, and the link from before they had limits."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from selectolax.lexbor import LexborHTMLParser

from tests.harness.html import find_csrf_token
from tests.harness.people import PASSWORD, NewPerson, Person
from tests.harness.servers import NewServer, Server

PAGE = "/people/invitations"


def create_link(admin: Person, **limits: str) -> str:
    """Create an invitation, and return the path of its link."""
    page = admin.post(PAGE, PAGE, **{"days": "7", "max_uses": "10"} | limits).text
    return links(page, admin)[0]


def links(page: str, admin: Person) -> list[str]:
    """Return the paths of the invitation links on a page, newest first."""
    inputs = LexborHTMLParser(page).css("input[value*='/invitation/']")
    return [str(node.attributes["value"]).removeprefix(admin.server.url) for node in inputs]


def test_an_invitation_works_until_it_is_revoked_and_only_admins_see_it(
    server: Server, ana: Person, bob: Person
) -> None:
    first, second = create_link(ana), create_link(ana, days="", max_uses="")
    page = ana.get(PAGE).text
    assert links(page, ana) == [second, first]
    assert "by @ana" in page
    assert bob.get(PAGE).status_code == 403
    assert "/invitation/" not in bob.get("/people").text
    cleo = Person(server, "cleo")
    taken = cleo.post(first, first, username="ANA", password=PASSWORD)
    assert (taken.status_code, "is taken" in taken.text) == (409, True)
    # A refused account does not count as a use.
    assert server.rows("SELECT sum(uses) FROM invitations") == [(0,)]

    form = {"csrf_token": find_csrf_token(cleo.get(first).text), "username": "cleo", "password": PASSWORD}
    ((number,),) = server.rows("SELECT min(id) FROM invitations")
    assert bob.post(f"{PAGE}/{number}/revoke", "/people").status_code == 403
    assert ana.post(f"{PAGE}/{number}/revoke", PAGE).ok

    assert cleo.get(first).status_code == 404
    assert cleo.http.post(server.url + first, data=form).status_code == 404
    for path in ("/invitation/x", second[:-1] + "!", "/invitation/ä%00"):
        assert cleo.get(path).status_code == 404
    # The database has the tokens encrypted, and finds them by their hashes even if they cannot be decrypted.
    assert second.rpartition("/")[2] not in str(server.rows("SELECT token, token_hash FROM invitations"))
    server.execute("UPDATE invitations SET token = 'lost.AAAA'")
    assert "The link cannot be shown" in ana.get(PAGE).text
    assert cleo.accept(second).get("/").ok

    assert "All invitation links were revoked" in ana.post(f"{PAGE}/revoke", PAGE).text
    assert Person(server, "dan").get(second).status_code == 404


def test_an_invitation_creates_no_more_accounts_than_its_limit(any_server: Server, new_person: NewPerson) -> None:
    ana = new_person(any_server, "ana")
    path = create_link(ana, max_uses="5")
    any_server.execute("UPDATE invitations SET max_uses = 2")
    visitors = [Person(any_server, f"visitor{number}") for number in range(5)]
    tokens = [find_csrf_token(visitor.get(path).text) for visitor in visitors]

    def sign_up(visitor: Person, token: str) -> int:
        form = {"csrf_token": token, "username": visitor.username, "password": PASSWORD}
        return visitor.http.post(any_server.url + path, data=form, allow_redirects=False).status_code

    with ThreadPoolExecutor(len(visitors)) as threads:
        statuses = sorted(threads.map(sign_up, visitors, tokens))
    assert statuses == [302, 302, 404, 404, 404]
    assert any_server.rows("SELECT count(*) FROM users") == [(3,)]
    page = ana.get(PAGE).text
    assert links(page, ana) == []
    assert "no longer valid" in page


def test_an_expired_invitation_creates_no_account(server: Server, ana: Person) -> None:
    path = create_link(ana, days="1")
    visitor = Person(server, "bob")
    form = {"csrf_token": find_csrf_token(visitor.get(path).text), "username": "bob", "password": PASSWORD}
    server.execute("UPDATE invitations SET expires_at = '2026-01-01 00:00:00'")
    assert visitor.get(path).status_code == 404
    assert visitor.http.post(server.url + path, data=form).status_code == 404
    # The next invitation removes those that nobody can use.
    create_link(ana)
    assert server.rows("SELECT count(*) FROM invitations") == [(1,)]


@pytest.mark.parametrize(("field", "value"), [("days", "0"), ("days", "x"), ("max_uses", "-1"), ("max_uses", "1e9")])
def test_other_limits_than_those_on_the_page_are_refused(server: Server, ana: Person, field: str, value: str) -> None:
    form = {"days": "1", "max_uses": "1"} | {field: value}
    assert ana.post(PAGE, PAGE, **form).status_code == 400
    assert server.rows("SELECT count(*) FROM invitations") == [(0,)]


def test_the_former_link_of_an_installation_works_for_another_month(new_server: NewServer, database_url: str) -> None:
    server = new_server(database_url=database_url).start()
    ana = Person(server, "ana").set_up()
    server.terminate()
    server.flask("db", "downgrade", "0013")
    ((token,),) = server.rows("SELECT invitation_token FROM installation")
    server.flask("db", "upgrade")
    ((expires_at, max_uses),) = server.rows("SELECT expires_at, max_uses FROM invitations")
    assert expires_at
    assert max_uses is None
    server.start()
    assert "expires on" in ana.get(PAGE).text
    assert Person(server, "bob").accept(f"/invitation/{token}").get("/").ok
