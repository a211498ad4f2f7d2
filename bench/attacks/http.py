"""Attacks over HTTP that send many requests, or parts of requests."""

import secrets
import select
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack

from bench.attacks import texts
from bench.attacks.attack import Attack, Client
from bench.installation import Installation
from tests.harness.html import attribute
from tests.harness.people import Person, room_path

HOLD_SECONDS = 2.0
"""Time after which silent connections are replaced by new ones."""

SLOW_CONNECTIONS = 100
"""Silent or slow connections that one thread of the attacker keeps open."""

FORM = {"Content-Type": "application/x-www-form-urlencoded"}
DEEP = b'{"text":' + b"[" * 400_000

Prepare = Callable[[Installation, Sequence[Person]], Sequence[str]]


class SlowRequests(Attack):
    """Keeps many connections open that begin a request, and opens others when the server closes them."""

    def run(self, client: Client) -> None:
        """See `Attack`."""
        beginnings = (
            b"",
            client.head("GET", "/").removesuffix(b"\r\n") + b"X-Slow: ",
            client.head("POST", "/sign-in", Content_Length=900_000) + b"username=",
        )
        with ExitStack() as stack:
            while client.seconds_left > 0:
                for number in range(SLOW_CONNECTIONS):
                    try:
                        connection = stack.enter_context(client.connect())
                        connection.sendall(beginnings[number % len(beginnings)])
                        client.outcome.opened += 1
                    except OSError:
                        client.outcome.refused += 1
                time.sleep(HOLD_SECONDS)
                stack.close()


class HalfForms(Attack):
    """Sends the first half of a form, and closes the connection, as often as possible."""

    accounts = 0

    def run(self, client: Client) -> None:
        """See `Attack`."""
        half = client.head("POST", "/sign-in", Content_Length=1_000, **FORM) + b"username=" + b"a" * 500
        while client.seconds_left > 0:
            try:
                with client.connect() as connection:
                    connection.sendall(half)
                    client.outcome.opened += 1
            except OSError:
                client.outcome.refused += 1


class PipelinedRequests(Attack):
    """Sends requests over one connection without waiting for their responses."""

    threads = 1

    def run(self, client: Client) -> None:
        """See `Attack`."""
        data = client.head("GET", "/") * 100
        while client.seconds_left > 0:
            try:
                with client.connect() as connection:
                    connection.setblocking(False)
                    client.outcome.opened += 1
                    rest = data
                    while client.seconds_left > 0:
                        readable, writable, _ = select.select([connection], [connection], [], 0.1)
                        if readable and not connection.recv(1_000_000):
                            break
                        if writable:
                            rest = rest[connection.send(rest) :] or data
            except OSError:
                client.outcome.refused += 1


class Requests(Attack):
    """Requests pages over a few connections, each request after the response to the one before."""

    threads = 8

    def __init__(self, prepare: Prepare, *, accounts: int = 1) -> None:
        self._prepare = prepare
        self.accounts = accounts

    def prepare(self, target: Installation, attackers: Sequence[Person]) -> Sequence[str]:
        """See `Attack`."""
        return self._prepare(target, attackers)

    def run(self, client: Client) -> None:
        """See `Attack`."""
        paths = client.plan.paths
        number = client.number
        while client.seconds_left > 0:
            client.request("GET", paths[number % len(paths)])
            number += 1


def _room_pages(target: Installation, attackers: Sequence[Person]) -> Sequence[str]:
    room = attackers[0].create_room()
    target.fill(room, 1_000)
    path = room_path(room)
    return ["/", path, f"{path}?before=500", f"{path}/settings", "/rooms", "/direct", "/sessions", "/settings"]


def _sign_in_pages(_target: Installation, _attackers: Sequence[Person]) -> Sequence[str]:
    return ["/sign-in", "/sign-in?next=/rooms/1", "/invitation/unknown", "/shared/unknown", "/no/such/page"]


def _share(target: Installation, person: Person, conversation: str) -> str:
    path = f"/conversations/{conversation}/share"
    page = person.post(path, "/sessions")
    return attribute(page.text, "#share-url", "value").removeprefix(target.url)


def _shared_pages(contents: Callable[[], list[str]]) -> Prepare:
    def prepare(target: Installation, attackers: Sequence[Person]) -> Sequence[str]:
        person = attackers[0]
        links = [_share(target, person, target.add_session(person, page)) for page in texts.pages(contents())]
        return [f"{link}?before={texts.PAGE_SIZE + 1 - number}" for number in range(20) for link in links]

    return prepare


class UnknownWebhooks(Attack):
    """Posts to webhooks that do not exist."""

    threads = 8
    accounts = 0

    def run(self, client: Client) -> None:
        """See `Attack`."""
        while client.seconds_left > 0:
            client.request("POST", f"/hooks/{secrets.token_urlsafe()}", b"hello")


class NestedJson(Attack):
    """Posts deeply nested JSON to a webhook and to the API."""

    def prepare(self, _target: Installation, attackers: Sequence[Person]) -> Sequence[str]:
        """See `Attack`."""
        person = attackers[0]
        path = f"{room_path(person.create_room())}/webhooks"
        page = person.post(f"{path}/incoming", path, bot_name="Nesting")
        return ["/hooks/" + page.text.partition("/hooks/")[2].partition('"')[0], "/api/conversations/general/messages"]

    def run(self, client: Client) -> None:
        """See `Attack`."""
        headers = {"Content-Type": "application/json"}
        while client.seconds_left > 0:
            for path in client.plan.paths:
                client.request("POST", path, DEEP, headers)


class Rooms(Attack):
    """Creates private rooms as fast as the server responds."""

    def run(self, client: Client) -> None:
        """See `Attack`."""
        token, cookie = client.open_form("/rooms/new")
        body = f"name=Spam&topic=&visibility=private&csrf_token={token}".encode()
        while client.seconds_left > 0:
            client.request("POST", "/rooms/new", body, {**FORM, "Cookie": cookie})


ATTACKS: Mapping[str, Attack] = {
    "slow requests": SlowRequests(),
    "half forms": HalfForms(),
    "pipelined requests": PipelinedRequests(),
    "room pages": Requests(_room_pages),
    "pages without a login": Requests(_sign_in_pages, accounts=0),
    "public pages": Requests(_shared_pages(lambda: ["A short answer."]), accounts=0),
    "public pages with Markdown": Requests(_shared_pages(texts.markdown), accounts=0),
    "public pages with code": Requests(_shared_pages(texts.code), accounts=0),
    "unknown webhooks": UnknownWebhooks(),
    "nested JSON": NestedJson(),
    "rooms": Rooms(),
}
