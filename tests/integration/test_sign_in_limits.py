"""Guessing passwords: limits for an account, and the owner's way around them."""

import pytest
import requests

from tests.harness.people import PASSWORD, Person
from tests.harness.rows import add_people
from tests.harness.servers import NewServer, Server


@pytest.fixture(scope="module")
def limited(new_shared_server: NewServer) -> Server:
    """A server that delays sign-ins to an account after three failures, and believes the addresses in headers."""
    return new_shared_server(CHATAPP_SIGN_IN_ATTEMPTS="3", CHATAPP_TRUSTED_PROXIES="1").start()


class Visitor(Person):
    """A visitor from an address of their own."""

    count = 0

    def __init__(self, server: Server, username: str) -> None:
        super().__init__(server, username)
        Visitor.count += 1
        self.http.headers["X-Forwarded-For"] = f"192.0.2.{Visitor.count}"


WRONG = "wrong password"


def guess(server: Server, username: str, password: str = WRONG) -> requests.Response:
    """Try a password from an address and a browser that have not been used before."""
    visitor = Visitor(server, username)
    response = visitor.sign_in(password)
    visitor.close()
    return response


def test_guesses_from_many_addresses_are_delayed_whether_or_not_the_account_exists(limited: Server) -> None:
    add_people(limited, "ana")
    refusals = {}
    for username in ("ana", "nobody"):
        assert [guess(limited, name).status_code for name in (username, username.upper(), f" {username} ")] == [403] * 3
        refusals[username] = guess(limited, username, PASSWORD)
    for response in refusals.values():
        assert response.status_code == 429
        assert "Too many wrong passwords for this account" in response.text
        assert 0 < int(response.headers["Retry-After"]) <= 30
    assert limited.rows("SELECT count FROM audit_log WHERE kind = 'sign_in.limited' AND target = '@ana'") == [(1,)]


def test_each_further_failure_doubles_the_delay_and_a_success_ends_it(limited: Server) -> None:
    add_people(limited, "bob")
    for _ in range(3):
        guess(limited, "bob")
    limited.execute("UPDATE sign_in_attempts SET last_at = datetime('now', '-31 seconds')")
    assert guess(limited, "bob").status_code == 403
    assert 30 < int(guess(limited, "bob", PASSWORD).headers["Retry-After"]) <= 60
    limited.execute("UPDATE sign_in_attempts SET last_at = datetime('now', '-61 seconds')")
    assert guess(limited, "bob", PASSWORD).ok
    assert [guess(limited, "bob").status_code for _ in range(3)] == [403] * 3


def test_the_owner_signs_in_from_a_known_browser_while_others_guess(limited: Server) -> None:
    add_people(limited, "cleo", "dan")
    cleo, dan = (Visitor(limited, name) for name in ("cleo", "dan"))
    for person in (cleo, dan):
        assert person.sign_in().ok
        person.post("/sign-out")
    for _ in range(3):
        guess(limited, "cleo")
    assert guess(limited, "cleo", PASSWORD).status_code == 429
    # The cookie of another account does not help.
    dan.username = "cleo"
    assert dan.sign_in().status_code == 429

    assert cleo.sign_in().ok
    assert guess(limited, "cleo", PASSWORD).status_code == 429
    # The known browser has a limit of its own.
    cleo.post("/sign-out")
    assert [cleo.sign_in("wrong password").status_code for _ in range(4)] == [403, 403, 403, 429]
    cleo.close()
    dan.close()


def test_a_new_password_makes_other_browsers_unknown(limited: Server) -> None:
    add_people(limited, "fay")
    fay, thief = Visitor(limited, "fay"), Visitor(limited, "fay")
    for person in (fay, thief):
        assert person.sign_in().ok
    new = "another fine password"
    assert fay.post("/settings/password", "/settings", current_password=PASSWORD, new_password=new).ok
    fay.post("/sign-out")
    for _ in range(3):
        guess(limited, "fay")
    assert thief.sign_in(new).status_code == 429
    assert fay.sign_in(new).ok, "the browser in which it was changed"
    fay.close()
    thief.close()


def test_a_forged_device_cookie_does_not_count(limited: Server) -> None:
    add_people(limited, "eve")
    for _ in range(3):
        guess(limited, "eve")
    for value in ("x", "WyJldmUiLCJ4Il0.forged", '["eve", "x"]'):
        visitor = Visitor(limited, "eve")
        visitor.http.cookies.set("chatapp_device", value, domain="127.0.0.1", path="/")
        assert visitor.sign_in().status_code == 429
        visitor.close()


def test_spaces_before_a_username_evade_neither_limit(limited: Server) -> None:
    add_people(limited, "eli")
    spellings = [f"{' ' * (70 + count)}eli" for count in range(11)]
    assert [guess(limited, spelling).status_code for spelling in spellings[:4]] == [403, 403, 403, 429]
    visitor = Visitor(limited, "eli")
    for spelling in spellings:
        visitor.username = spelling
        response = visitor.sign_in(WRONG)
    assert "Too many requests" in response.text, "the limit of an address and a username"
    visitor.close()


def test_a_client_cannot_choose_the_accepted_origin_by_a_header_before_the_proxys(limited: Server) -> None:
    sent = {"X-Forwarded-Host": f"evil.test, 127.0.0.1:{limited.port}", "X-Forwarded-Proto": "http, http"}
    for origin, status in (("http://evil.test", 400), (limited.url, 200)):
        response = requests.get(
            f"{limited.url}/socket.io/?EIO=4&transport=polling", headers=sent | {"Origin": origin}, timeout=30
        )
        assert response.status_code == status, origin
