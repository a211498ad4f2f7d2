"""People: an HTTP session that uses the real forms, and sockets of the two official clients."""

import json
import re
import subprocess
import threading
import time
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

import requests
import socketio
from selectolax.lexbor import LexborHTMLParser

from tests.harness import ROOT
from tests.harness.browser_code import find_node
from tests.harness.html import attribute, find_csrf_token, find_element
from tests.harness.servers import Server
from tests.harness.waiting import eventually, scaled

PASSWORD = "correct horse battery"
Event = tuple[str, Any]


class Person:
    """A person with a browser."""

    def __init__(self, server: Server, username: str) -> None:
        self.server = server
        self.username = username
        self.http = requests.Session()
        self.sockets: list[Socket] = []
        self._csrf_token: str | None = None
        """The token of all forms, until the login session changes."""

    def get(self, path: str, **options: Any) -> requests.Response:
        """Request a page."""
        return self.http.get(self.server.url + path, timeout=scaled(30), **options)

    def post(self, path: str, page: str = "/", **fields: str | Sequence[str]) -> requests.Response:
        """Submit a form of `page`."""
        token = self._csrf_token = self._csrf_token or find_csrf_token(self.get(page).text)
        return self.http.post(self.server.url + path, data={"csrf_token": token, **fields}, timeout=scaled(30))

    def set_up(self) -> "Person":
        """Create the first account."""
        return self._sign_up(self.server.setup_path())

    def accept(self, invitation: str) -> "Person":
        """Create an account with an invitation link."""
        return self._sign_up(invitation.removeprefix(self.server.url))

    def _sign_up(self, path: str) -> "Person":
        response = self._begin_session(path, name=self.username.title(), password=PASSWORD)
        assert response.url == self.server.url + "/", (response.status_code, response.url, response.text[:2000])
        return self

    def sign_in(self, password: str = PASSWORD) -> requests.Response:
        """Sign in."""
        return self._begin_session("/sign-in", password=password)

    def _begin_session(self, path: str, **fields: str) -> requests.Response:
        self._csrf_token = None
        response = self.post(path, path, username=self.username, **fields)
        self._csrf_token = None
        return response

    def invitation(self) -> str:
        """Return an invitation link without limits, which admins can create."""
        path = "/people/invitations"
        links = LexborHTMLParser(self.get(path).text).css("input[value*='/invitation/']")
        page = "" if links else self.post(path, path, days="", max_uses="").text
        return attribute(page or self.get(path).text, "input[value*='/invitation/']", "value")

    @property
    def cookie(self) -> str:
        """The value of the Cookie header."""
        return "; ".join(f"{name}={value}" for name, value in self.http.cookies.items())

    def create_room(self, name: str = "Room", visibility: str = "private", topic: str = "") -> str:
        """Create a room, and return its name on the wire."""
        response = self.post("/rooms/new", "/rooms/new", name=name, topic=topic, visibility=visibility)
        match = re.search(r"/rooms/(\d+)$", response.url)
        assert match is not None, response.text
        return f"room_{match[1]}"

    def invite(self, room: str, person: "Person") -> None:
        """Add a person to a room."""
        path = room_path(room)
        response = self.post(f"{path}/members", f"{path}/settings", username=person.username)
        assert response.ok, response.text

    def remove(self, room: str, person: "Person") -> requests.Response:
        """Remove a person from a room."""
        path = room_path(room)
        return self.post(f"{path}/members/{person.id}/remove", f"{path}/settings")

    def open_direct(self, *others: "Person") -> str:
        """Start the direct conversation with other people, and return its name on the wire."""
        response = self.post("/direct", "/direct", person=[person.username for person in others])
        return attribute(response.text, "[data-conversation]", "data-conversation")

    def sidebar_counts(self, conversation: str) -> tuple[int, int]:
        """Return the numbers of unread messages and of mentions that the sidebar shows for a conversation."""
        entry = find_element(self.get("/sidebar").text, f"[data-entry='{conversation}']").html or ""
        unread, mentions = (int(attribute(entry, f"[data-{name}]", f"data-{name}")) for name in ("unread", "mentions"))
        return unread, mentions

    def create_token(self, scope: str = "write", name: str = "a program") -> str:
        """Create an API token."""
        page = self.post("/settings/tokens", "/settings/tokens", name=name, scope=scope, days="30", password=PASSWORD)
        return attribute(page.text, "#token", "value")

    def api(self, token: str | None = None) -> "Api":
        """Return an API client with `token`, or with a new token of this person."""
        return Api(self.server, token or self.create_token())

    @property
    def id(self) -> int:
        """The id of the account."""
        return int(attribute(self.get("/").text, "[data-user-id]", "data-user-id"))

    def connect(self, client: "Callable[[str, str], Socket] | None" = None) -> "Socket":
        """Open a socket with a client, by default python-socketio."""
        socket = (client or PythonSocket)(self.server.url, self.cookie)
        self.sockets.append(socket)
        return socket

    def on_server(self, server: Server) -> "Person":
        """Return the same person, with the same login session, on another process of the installation."""
        other = Person(server, self.username)
        other.http, other.sockets = self.http, self.sockets
        return other

    def close(self) -> None:
        """Close the sockets and the HTTP session."""
        for socket in self.sockets:
            socket.close()
        self.http.close()


class NewPerson(Protocol):
    """The type of the fixture `new_person`."""

    def __call__(self, server: Server, username: str) -> Person:
        """Create a person with an account on `server`."""


class Api:
    """An API client with a token."""

    def __init__(self, server: Server, token: str) -> None:
        self._url = f"{server.url}/api"
        self._headers = {"Authorization": f"Bearer {token}"}

    def get(self, path: str, **options: Any) -> requests.Response:
        """Send a GET request."""
        return self.request("GET", path, **options)

    def post(self, path: str, **options: Any) -> requests.Response:
        """Send a POST request."""
        return self.request("POST", path, **options)

    def request(
        self, method: str, path: str, headers: dict[str, str] | None = None, **options: Any
    ) -> requests.Response:
        """Send a request."""
        return requests.request(
            method, self._url + path, headers=self._headers | (headers or {}), timeout=scaled(30), **options
        )


def without_html(message: dict[str, Any]) -> dict[str, Any]:
    """Return a message without its HTML: the acknowledgement of a new one has none if its sender has joined."""
    return {key: value for key, value in message.items() if key != "html"}


class Socket:
    """A Socket.IO connection. It records every event in the order of arrival."""

    events: list[Event]

    def call(self, event: str, *payload: Any, timeout: float = 20) -> Any:
        """Emit an event, and return its ack."""
        return self.emit(event, *payload)(timeout)

    def emit(self, event: str, *payload: Any) -> Callable[[float], Any]:
        """Emit an event, and return a function that waits for its ack."""
        raise NotImplementedError

    def close(self) -> None:
        """Disconnect."""
        raise NotImplementedError

    def is_connected(self) -> bool:
        """Return whether the socket is connected."""
        raise NotImplementedError

    def join(self, conversation: str = "general", **cursor: Any) -> Any:
        """Join a conversation, and return the ack, which must be a success."""
        ack = self.call("join_chat", {"conversation": conversation, **cursor})
        assert ack["ok"], ack
        return ack

    def send(self, content: Any, conversation: str = "general", client_id: str | None = None) -> Any:
        """Send a message, and return the ack."""
        return self.call("send_message", message_payload(content, conversation, client_id))

    def post(self, content: str, conversation: str = "general") -> dict[str, Any]:
        """Send a message, and return it as it is stored. It must be accepted."""
        ack = self.send(content, conversation)
        assert ack["ok"], ack
        message: dict[str, Any] = ack["message"]
        return message

    def mark(self, conversation: str, seq: int, event: str = "mark_as_read") -> dict[str, Any]:
        """Mark a conversation as read up to a message, and return the new read state."""
        ack: dict[str, Any] = self.call(event, {"conversation": conversation, "seq": seq})
        assert ack.pop("ok"), ack
        return ack

    def presence(self) -> dict[str, str]:
        """Return the presence states received so far, by user id."""
        states: dict[str, str] = {}
        for payload in self.payloads("presence"):
            states = payload["people"] if payload["whole"] else states | payload["people"]
        return states

    def sees_presence(self, person_id: int, state: str) -> bool:
        """Return whether the last presence state of a person is `state`."""
        return self.presence().get(str(person_id), "offline") == state

    def wait_for_presence(self, person_id: int, state: str, timeout: float = 10) -> None:
        """Wait until the presence state of a person is `state`."""
        eventually(lambda: self.sees_presence(person_id, state), f"{person_id} is {state}", timeout)

    def delivery_seconds(self, sender: "Socket", content: str, timeout: float = 20) -> float:
        """Let `sender` post a message to the general chat, and return the seconds until it is received here."""
        start = time.monotonic()
        sender.post(content)
        eventually(lambda: content in self.contents(), f"{content!r} is received", timeout)
        return time.monotonic() - start

    def payloads(self, event: str) -> list[Any]:
        """Return the payloads of an event so far."""
        return [payload for name, payload in list(self.events) if name == event]

    def messages(self, conversation: str = "general") -> list[dict[str, Any]]:
        """Return the new messages received so far."""
        return [message for message in self.payloads("chat_message") if message["conversation"] == conversation]

    def contents(self, conversation: str = "general") -> list[str]:
        """Return the contents of the new messages received so far."""
        return [message["content"] for message in self.messages(conversation)]

    def wait_for(self, event: str, count: int = 1) -> list[Any]:
        """Wait until an event was received `count` times, and return its payloads."""
        eventually(lambda: len(self.payloads(event)) >= count, f"{event} is received {count} times")
        return self.payloads(event)

    def wait_for_contents(self, *contents: str, conversation: str = "general") -> None:
        """Wait until the new messages have exactly these contents."""
        try:
            eventually(lambda: self.contents(conversation) == list(contents), f"{contents} are received")
        except AssertionError as error:
            error.add_note(f"received: {self.contents(conversation)}")
            raise


class PythonSocket(Socket):
    """The python-socketio client."""

    transports: tuple[str, ...] = ("websocket",)

    def __init__(self, url: str, cookie: str) -> None:
        self.events = []
        # The library shares its JSON codec in a process: that of the application would not send malformed values.
        self._client = socketio.Client(reconnection=False, json=json, request_timeout=scaled(20))
        # The library handles each packet in a thread of its own, which would not preserve their order.
        trigger = self._client.eio._trigger_event
        self._client.eio._trigger_event = lambda event, *arguments, **_: trigger(event, *arguments)
        self._client.on("*", lambda event, *payload: self.events.append((event, payload[0] if payload else None)))
        self._client.connect(url, headers={"Cookie": cookie}, transports=list(self.transports), wait_timeout=scaled(10))

    def emit(self, event: str, *payload: Any) -> Callable[[float], Any]:
        arrived = threading.Event()
        acks: list[Any] = []

        def acknowledge(*arguments: Any) -> None:
            acks.extend(arguments)
            arrived.set()

        def wait(timeout: float) -> Any:
            assert arrived.wait(scaled(timeout)), f"no ack of {event} within {scaled(timeout):.1f} s"
            return acks[0]

        self._client.emit(event, payload if len(payload) != 1 else payload[0], callback=acknowledge)
        return wait

    def is_connected(self) -> bool:
        return bool(self._client.connected)

    def close(self) -> None:
        self._client.disconnect()


class JavaScriptSocket(Socket):
    """The official JavaScript client, in a Node process."""

    transports = "polling,websocket"

    def __init__(self, url: str, cookie: str) -> None:
        self.events = []
        self._lock = threading.Lock()
        self._acks: dict[str, Any] = {}
        self._connected = False
        self._error: str | None = None
        self._process = subprocess.Popen(
            [find_node(), str(Path(__file__).with_name("chat_client.mjs")), url, cookie, self.transports],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        eventually(lambda: self._connected or self._error, "the JavaScript client connects")
        if self._error:
            self.close()
            raise ConnectionError(self._error)

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            match json.loads(line):
                case {"event": "connect"}:
                    self._connected = True
                case {"event": "disconnect"}:
                    self._connected = False
                case {"event": "connect_error", "payload": reason}:
                    self._error = reason
                case {"ack": key, "payload": payload}:
                    self._acks[key] = payload
                case {"event": event, "payload": payload}:
                    self.events.append((event, payload))

    def emit(self, event: str, *payload: Any) -> Callable[[float], Any]:
        key = str(uuid.uuid4())
        assert self._process.stdin is not None
        with self._lock:
            self._process.stdin.write(json.dumps({"key": key, "event": event, "payload": list(payload)}) + "\n")
            self._process.stdin.flush()

        def wait(timeout: float) -> Any:
            eventually(lambda: key in self._acks, f"ack of {event}", timeout)
            return self._acks.pop(key)

        return wait

    def is_connected(self) -> bool:
        return self._connected

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        self._reader.join()
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            pipe.close()


class JavaScriptWebSocket(JavaScriptSocket):
    """The official JavaScript client without long polling, as pages use it with several processes."""

    transports = "websocket"


def room_path(room: str) -> str:
    """Return the path of a room's page."""
    return "/rooms/" + room.removeprefix("room_")


def message_payload(content: Any, conversation: str = "general", client_id: str | None = None) -> dict[str, Any]:
    """Return a payload of `send_message`."""
    return {"conversation": conversation, "content": content, "client_id": client_id or str(uuid.uuid4())}
