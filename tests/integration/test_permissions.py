"""Who may do what, by every entrance. A route or an event without a line here fails."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import requests
import socketio

from chatapp import create_app
from chatapp.config import Settings
from tests.harness.html import find_csrf_token
from tests.harness.people import Person, Socket, message_payload
from tests.harness.servers import Server

PEOPLE = ("admin", "manager", "member", "removed", "stranger", "blocked")
EVERYBODY = ("anonymous", *PEOPLE)

Outcome = str | int
Outcomes = dict[str, Outcome]


def outcomes(default: Outcome, **others: Outcome) -> Outcomes:
    return {name: others.get(name, default) for name in EVERYBODY}


# In the room are its manager and the member, who wrote its message; in the direct conversation also the blocked one.
# Nobody tells the others, an admin included, that there is such a conversation.
OPEN = outcomes("ok")
HERE = outcomes("ok", anonymous="sign in")
HERE_POST = outcomes("ok", anonymous=401)
ADMIN_POST = outcomes(403, anonymous=401, admin="ok")
ROOM = outcomes(404, anonymous="sign in", member="ok", manager="ok")
ROOM_POST = ROOM | {"anonymous": 401}
HERE_API = HERE_POST
ROOM_API = ROOM_POST
MANAGER_POST = ROOM_POST | {"member": 403}
DIRECT = ROOM | {"blocked": "ok"}
DIRECT_POST = ROOM_POST | {"blocked": 403}
DIRECT_API = DIRECT | {"anonymous": 401}
NOT_HERE = outcomes(404, anonymous="sign in")
NOT_HERE_POST = NOT_HERE | {"anonymous": 401}
NOT_HERE_EVENT: Outcomes = outcomes(404, anonymous="refused")
# A session with an assistant is the member's alone.
SESSION = NOT_HERE | {"member": "ok"}
SESSION_POST = NOT_HERE_POST | {"member": "ok"}
SESSION_EVENT = NOT_HERE_EVENT | {"member": "ok"}
REFUSED: Outcomes = {"anonymous": "refused"}


@dataclass(frozen=True)
class Entrance:
    """A way in: what is sent through it to a room and to a direct conversation, and what becomes of it."""

    room: Outcomes
    direct: Outcomes | None = None
    """None where it has nothing to do with conversations of both kinds."""
    sent: dict[str, object] = field(default_factory=dict)
    session: Outcomes | None = None
    """None where it has nothing to do with sessions with assistants."""


API = "/api/conversations/<conversation>"

ROUTES = {
    f"GET {API}": Entrance(ROOM_API, DIRECT_API),
    f"GET {API}/messages": Entrance(ROOM_API, DIRECT_API, session=SESSION_POST),
    f"POST {API}/messages": Entrance(ROOM_API, DIRECT_POST, {"content": "by the API"}, session=SESSION_POST),
    f"GET {API}/messages/<seq>": Entrance(ROOM_API, DIRECT_API),
    f"PATCH {API}/messages/<seq>": Entrance(
        ROOM_API | {"manager": 403}, DIRECT_POST | {"manager": 403}, {"content": "changed"}
    ),
    f"DELETE {API}/messages/<seq>": Entrance(ROOM_API, DIRECT_POST | {"manager": 403}),
    f"PUT {API}/messages/<seq>/reactions/<reaction>": Entrance(ROOM_API, DIRECT_POST),
    f"DELETE {API}/messages/<seq>/reactions/<reaction>": Entrance(ROOM_API, DIRECT_POST),
    f"POST {API}/read": Entrance(ROOM_API, DIRECT_API),
    "GET /api/conversations": Entrance(HERE_API),
    "GET /api/chat/history/<person_id>": Entrance(HERE_API),
    "GET /api/chat/history": Entrance(HERE_API, sent={"bot_id": "helper"}),
    "DELETE /api/chat/history": Entrance(ADMIN_POST, sent={"bot_id": "helper"}),
    "GET /api/sessions": Entrance(HERE_API),
    "POST /api/sessions": Entrance(HERE_API),
    "GET /api/sessions/<session_id>": Entrance(NOT_HERE_POST, session=SESSION_POST),
    "PATCH /api/sessions/<session_id>": Entrance(NOT_HERE_POST, sent={"title": "New"}, session=SESSION_POST),
    "DELETE /api/sessions/<session_id>": Entrance(NOT_HERE_POST, session=SESSION_POST),
    "GET /api/sessions/<session_id>/messages": Entrance(NOT_HERE_POST, session=SESSION_POST),
    "POST /api/sessions/<session_id>/messages": Entrance(
        NOT_HERE_POST, sent={"content": "by the API"}, session=SESSION_POST
    ),
    # There are no direct messages with oneself.
    "POST /api/chat/mark-read/<person_id>": Entrance(outcomes(404, anonymous=401)),
    "GET /api/docs": Entrance(HERE),
    "GET /api/openapi.json": Entrance(OPEN),
    "GET /settings/tokens": Entrance(HERE),
    "POST /settings/tokens": Entrance(HERE_POST, sent={"name": "program", "scope": "read"}),
    # It has none of anybody's.
    "POST /settings/tokens/<token_id>/revoke": Entrance(outcomes(404, anonymous=401)),
    "GET /": Entrance(HERE),
    "GET /assistants/<assistant>": Entrance(HERE),
    "GET /sessions": Entrance(HERE),
    "POST /sessions": Entrance(HERE_POST, sent={"assistant": "helper"}),
    "GET /sessions/<session_id>": Entrance(NOT_HERE, session=SESSION),
    "GET /sessions/<session_id>/title": Entrance(NOT_HERE, session=SESSION),
    "POST /sessions/<session_id>/title": Entrance(NOT_HERE_POST, sent={"title": "New"}, session=SESSION_POST),
    "POST /sessions/<session_id>/end": Entrance(NOT_HERE_POST, session=SESSION_POST),
    "POST /sessions/<session_id>/delete": Entrance(NOT_HERE_POST, session=SESSION_POST),
    # Rooms are cleared by nobody.
    "POST /conversations/<conversation>/clear": Entrance(NOT_HERE_POST, NOT_HERE_POST, session=SESSION_POST),
    "GET /conversations/<conversation>/export.<file_format>": Entrance(NOT_HERE, NOT_HERE, session=SESSION),
    "POST /conversations/<conversation>/share": Entrance(NOT_HERE_POST, NOT_HERE_POST, session=SESSION_POST),
    "POST /conversations/<conversation>/unshare": Entrance(NOT_HERE_POST, NOT_HERE_POST, session=SESSION_POST),
    # Who knows a token may, and this is none.
    "GET /shared/<token>": Entrance(outcomes(404)),
    "GET /conversations/<conversation>/messages": Entrance(
        ROOM | {"anonymous": 401}, DIRECT | {"anonymous": 401}, session=SESSION_POST
    ),
    "GET /conversations/<conversation>/messages/<seq>": Entrance(ROOM, DIRECT, session=SESSION),
    "POST /conversations/<conversation>/messages": Entrance(
        ROOM_POST, DIRECT_POST, {"content": "by form"}, session=SESSION_POST
    ),
    "GET /conversations/<conversation>/people": Entrance(ROOM | {"anonymous": 401}, DIRECT | {"anonymous": 401}),
    "GET /direct": Entrance(HERE),
    "POST /direct": Entrance(HERE_POST, sent={"person": "admin"}),
    "POST /direct/<name>/block": Entrance(HERE_POST),
    "POST /direct/<name>/unblock": Entrance(HERE_POST),
    "GET /direct/<names>": Entrance(HERE),
    "GET /health": Entrance(OPEN),
    "GET /metrics": Entrance(OPEN),
    "GET /invitation/<token>": Entrance(outcomes(404)),
    "POST /invitation/<token>": Entrance(outcomes(404)),
    "GET /people": Entrance(HERE),
    "POST /people/invitation": Entrance(ADMIN_POST),
    # There is nobody of that name.
    "POST /people/<username>/ban": Entrance(ADMIN_POST | {"admin": 404}),
    "POST /people/<username>/ban/remove": Entrance(ADMIN_POST | {"admin": 404}),
    "GET /rooms": Entrance(HERE),
    "GET /rooms/new": Entrance(HERE),
    "POST /rooms/new": Entrance(HERE_POST, sent={"name": "Another room"}),
    "GET /rooms/<room_id>": Entrance(ROOM),
    "POST /rooms/<room_id>/archive": Entrance(MANAGER_POST),
    "POST /rooms/<room_id>/restore": Entrance(MANAGER_POST),
    "POST /rooms/<room_id>/members": Entrance(ROOM_POST, sent={"username": "admin"}),
    "POST /rooms/<room_id>/members/<user_id>/remove": Entrance(MANAGER_POST),
    "POST /rooms/<room_id>/membership": Entrance(ROOM_POST),
    "POST /rooms/<room_id>/membership/end": Entrance(ROOM_POST),
    "GET /rooms/<room_id>/settings": Entrance(ROOM),
    "GET /rooms/<room_id>/webhooks": Entrance(ROOM | {"member": 403}),
    "POST /rooms/<room_id>/webhooks": Entrance(MANAGER_POST, sent={"name": "hook", "url": "https://example.com/"}),
    "POST /rooms/<room_id>/webhooks/incoming": Entrance(MANAGER_POST, sent={"bot_name": "Builder"}),
    "POST /rooms/<room_id>/webhooks/incoming/<webhook_id>/remove": Entrance(MANAGER_POST | {"manager": 404}),
    # Who knows a token may, and this is none.
    "POST /hooks/<token>": Entrance(outcomes(404), sent={"text": "hello"}),
    # The manager may, but this room has no such webhook.
    "POST /rooms/<room_id>/webhooks/<webhook_id>/remove": Entrance(MANAGER_POST | {"manager": 404}),
    "POST /rooms/<room_id>/settings": Entrance(MANAGER_POST, sent={"name": "Mine", "visibility": "open"}),
    "GET /settings": Entrance(HERE),
    "POST /settings/name": Entrance(HERE_POST, sent={"name": "Somebody"}),
    "POST /settings/password": Entrance(HERE_POST),
    "POST /settings/receipts": Entrance(HERE_POST),
    "GET /setup": Entrance(outcomes(404)),
    "POST /setup": Entrance(outcomes(404)),
    "GET /sidebar": Entrance(HERE | {"anonymous": 401}),
    "GET /sign-in": Entrance(OPEN),
    "POST /sign-in": Entrance(OPEN),
    "GET /static/<filename>": Entrance(OPEN),
    "POST /sign-out": Entrance(HERE_POST),
}

EVENTS = {
    "join_chat": Entrance(ROOM | REFUSED, DIRECT | REFUSED, session=SESSION_EVENT),
    # Nobody need be in a conversation to leave it, and it tells nothing.
    "leave_chat": Entrance(OPEN | REFUSED, OPEN | REFUSED),
    "send_message": Entrance(ROOM | REFUSED, DIRECT_POST | REFUSED, {"content": "by socket"}, session=SESSION_EVENT),
    # What was said in rooms here is no answer.
    "stop_answer": Entrance(NOT_HERE_EVENT, NOT_HERE_EVENT | {"blocked": 403}, {"seq": 2}, session=SESSION_EVENT),
    "answer_again": Entrance(NOT_HERE_EVENT, NOT_HERE_EVENT | {"blocked": 403}, {"seq": 2}, session=SESSION_EVENT),
    "edit_message": Entrance(
        ROOM | REFUSED | {"manager": 403}, DIRECT_POST | REFUSED | {"manager": 403}, {"content": "changed", "seq": 1}
    ),
    "delete_message": Entrance(ROOM | REFUSED, DIRECT_POST | REFUSED | {"manager": 403}, {"seq": 1}),
    "react": Entrance(ROOM | REFUSED, DIRECT_POST | REFUSED, {"seq": 1, "reaction": "👍"}),
    "typing": Entrance(ROOM | REFUSED, DIRECT_POST | REFUSED),
    "presence": Entrance(OPEN | REFUSED, sent={"state": "online"}),
    "mark_as_read": Entrance(ROOM | REFUSED, DIRECT | REFUSED, {"seq": 1}),
    "mark_as_unread": Entrance(ROOM | REFUSED, DIRECT | REFUSED, {"seq": 1}),
}

CODES = {"not_found": 404, "forbidden": 403, "signed_out": 401}


def test_every_route_and_every_event_has_a_line(tmp_path: Path) -> None:
    app = create_app(Settings(data_dir=tmp_path))
    served = {
        f"{method} {without_converters(rule.rule)}"
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    assert served == set(ROUTES)
    handled = set(app.extensions["socketio"].server.handlers["/"]) - {"connect", "disconnect"}
    assert handled == set(EVENTS)


def without_converters(rule: str) -> str:
    return re.sub(r"<[^>]*?(\w+)>", r"<\1>", rule)


class Place:
    """A server with everybody, and a new room or direct conversation whenever one is asked for."""

    def __init__(self, server: Server, people: dict[str, Person]) -> None:
        self.server = server
        self.people = people
        self.ids = {str(name): number for number, name in server.rows("SELECT id, username FROM users")}

    def new_room(self) -> str:
        """Make a room with its manager and the member, who wrote a message."""
        return self._make("room", manager="manager", member="member")

    def new_direct(self) -> str:
        """Make a direct conversation of the manager, the member, who wrote a message, and one who is blocked there."""
        return self._make("direct", manager="member", member="member", blocked="member")

    def new_session(self) -> str:
        """Make a session of the member's with an assistant, which has answered."""
        name = self._make("assistant", member="manager")
        number, member = name.partition("_")[2], self.ids["member"]
        self.server.execute(
            "INSERT INTO messages (conversation_id, seq, version, sender_type, sender_name, message_type, content, "
            f"created_at, state, reply_to, asker_id) VALUES ({number}, 2, 2, 'assistant', 'Helper', 'text', "
            f"'answered', '2026-01-01 00:00:00', 'complete', 1, {member})"
        )
        self.server.execute(f"UPDATE conversations SET last_event = 2 WHERE id = {number}")
        return name

    def _make(self, kind: str, **roles: str) -> str:
        ((number,),) = self.server.rows("SELECT max(id) + 1 FROM conversations")
        moment = "'2026-01-01 00:00:00'"
        key = f"'key {number}'" if kind == "direct" else "NULL"
        assistant = "'helper'" if kind == "assistant" else "NULL"
        self.server.execute(
            "INSERT INTO conversations (id, kind, name, topic, visibility, last_event, floor, created_at, updated_at, "
            f"direct_key, assistant) VALUES ({number}, '{kind}', 'Secret', '', 'private', 1, 0, {moment}, {moment}, "
            f"{key}, {assistant})"
        )
        self.server.execute(
            "INSERT INTO memberships (conversation_id, user_id, role, created_at, is_blocked) VALUES "
            + ", ".join(
                f"({number}, {self.ids[name]}, '{role}', {moment}, {str(name == 'blocked').upper()})"
                for name, role in roles.items()
            )
        )
        self.server.execute(
            "INSERT INTO messages (conversation_id, seq, version, sender_id, sender_type, message_type, content, "
            f"created_at) VALUES ({number}, 1, 1, {self.ids['member']}, 'user', 'text', 'said', {moment})"
        )
        return f"{kind}_{number}"


@pytest.fixture(scope="module")
def place(request: pytest.FixtureRequest) -> Iterator[Place]:
    """One server for all: each line has a conversation of its own."""
    template = request.getfixturevalue("sqlite_template")
    server = Server(template.copy()).start()
    people = {"admin": Person(server, "admin").set_up()}
    people |= {name: Person(server, name).accept(people["admin"].invitation()) for name in PEOPLE[1:]}
    yield Place(server, people)
    for person in people.values():
        person.close()
    server.close()


@pytest.mark.parametrize("name", EVERYBODY)
def test_the_routes_let_in_whom_they_should(place: Place, name: str) -> None:
    http = place.people[name].http if name in place.people else requests.Session()
    page = http.get(place.server.url + ("/people" if name in place.people else "/sign-in"))
    token = find_csrf_token(page.text)

    def use(route: str, conversation: str, sent: dict[str, object]) -> Outcome:
        method, path = route.split()
        values = {
            "conversation": conversation,
            "room_id": conversation.partition("_")[2],
            "session_id": conversation.partition("_")[2],
            "assistant": "helper",
            "user_id": place.ids["member"],
            "name": "stranger" if name != "stranger" else "member",
            "names": "admin",
            "username": "nobody",
            "token": "wrong",
            "file_format": "md",
            "filename": "icon.svg",
            "webhook_id": 1,
            "seq": 1,
            "reaction": "👍",
            "person_id": place.ids.get(name, 1),
            "token_id": 2**31 - 1,
        }
        path = re.sub(r"<(\w+)>", lambda match: str(values[match[1]]), path)
        form = message_payload("") | {"csrf_token": token} | sent
        body: dict[str, object] = {"data": form if method == "POST" else None}
        if path.startswith("/api/"):
            key = "json" if method in {"POST", "PATCH"} else "params"
            body = {key: sent, "headers": {"X-CSRFToken": token}}
        answer = http.request(method, place.server.url + path, allow_redirects=False, timeout=30, **body)  # type: ignore[arg-type]
        if answer.is_redirect and "/sign-in" in answer.headers["Location"] and route != "POST /sign-out":
            return "sign in"
        # What is found fault with has been let in; and too many wrong invitations are one.
        status = 404 if answer.status_code == 429 else answer.status_code
        return "ok" if answer.ok or status in {400, 409, 422} else status

    assert_as_said(ROUTES, place, name, use)
    if name in place.people:
        place.people[name].sign_in()


def test_a_token_that_may_only_read_writes_by_no_route_and_opens_no_page(place: Place) -> None:
    token = place.people["member"].create_token("read")
    for route, entrance in ROUTES.items():
        method, path = route.split()
        if entrance.room == OPEN:
            continue
        session_id = place.new_session().partition("_")[2]
        values = {"conversation": place.new_room(), "seq": 1, "reaction": "👍", "person_id": place.ids["manager"]}
        values["session_id"] = session_id
        path = re.sub(r"<(\w+)>", lambda match, values=values: str(values.get(match[1], 1)), path)  # type: ignore[misc]
        answer = requests.request(
            method,
            place.server.url + path,
            headers={"Authorization": f"Bearer {token}"},
            params={"bot_id": "helper"} if path == "/api/chat/history" else None,
            json={"content": "by a program"} if path.startswith("/api/") and method in {"POST", "PATCH"} else None,
            allow_redirects=False,
            timeout=30,
        )
        if path.startswith("/api/") and path != "/api/docs":
            assert answer.status_code == (200 if method == "GET" else 403), route
        else:
            assert not answer.ok or answer.is_redirect, route


@pytest.mark.parametrize("name", PEOPLE)
def test_the_events_let_in_whom_they_should(place: Place, name: str) -> None:
    socket: Socket = place.people[name].connect()

    def use(event: str, conversation: str, sent: dict[str, object]) -> Outcome:
        answer = socket.call(event, message_payload("") | sent | {"conversation": conversation})
        if answer["ok"] or answer["error"]["code"] not in CODES:
            return "ok"
        return CODES[answer["error"]["code"]]

    assert_as_said(EVENTS, place, name, use)


def test_nobody_without_a_sign_in_can_connect(place: Place) -> None:
    with pytest.raises(socketio.exceptions.ConnectionError):
        socketio.Client(reconnection=False).connect(place.server.url, transports=["websocket"])


def assert_as_said(
    entrances: dict[str, Entrance], place: Place, name: str, use: Callable[[str, str, dict[str, object]], Outcome]
) -> None:
    """Use every entrance on conversations of both kinds, and compare what became of it with the table."""
    found, said = {}, {}
    for way, entrance in entrances.items():
        found[f"{way}, room"] = use(way, place.new_room(), entrance.sent)
        said[f"{way}, room"] = entrance.room[name]
        if entrance.direct is not None:
            found[f"{way}, direct"] = use(way, place.new_direct(), entrance.sent)
            said[f"{way}, direct"] = entrance.direct[name]
        if entrance.session is not None:
            found[f"{way}, session"] = use(way, place.new_session(), entrance.sent)
            said[f"{way}, session"] = entrance.session[name]
    assert found == said
