"""People: an HTTP session through the real forms, and sockets of the two official clients."""

import json
import re
import shutil
import subprocess
import threading
import uuid
from collections.abc import Callable
from html import unescape
from pathlib import Path
from typing import Any

import requests
import socketio

from tests.harness.ports import eventually
from tests.harness.servers import ROOT, Server

PASSWORD = "correct horse battery"
Event = tuple[str, Any]


class Person:
    """Somebody with a browser."""

    def __init__(self, server: Server, username: str) -> None:
        self.server = server
        self.username = username
        self.http = requests.Session()
        self.sockets: list[Socket] = []

    def get(self, path: str, **options: Any) -> requests.Response:
        """Open a page."""
        return self.http.get(self.server.url + path, timeout=30, **options)

    def post(self, path: str, page: str = "/", **fields: str) -> requests.Response:
        """Send a form that stands on `page`."""
        token = find_csrf_token(self.get(page).text)
        return self.http.post(self.server.url + path, data={"csrf_token": token, **fields}, timeout=30)

    def set_up(self) -> "Person":
        """Make the first account."""
        return self._sign_up("/setup")

    def accept(self, invitation: str) -> "Person":
        """Make an account with an invitation link."""
        return self._sign_up(invitation.removeprefix(self.server.url))

    def _sign_up(self, path: str) -> "Person":
        answer = self.post(path, path, username=self.username, name=self.username.title(), password=PASSWORD)
        assert answer.url == self.server.url + "/", (answer.status_code, answer.url, answer.text[:2000])
        return self

    def sign_in(self, password: str = PASSWORD) -> requests.Response:
        """Sign in."""
        return self.post("/sign-in", "/sign-in", username=self.username, password=password)

    def invitation(self) -> str:
        """Read the invitation link off the page, as an admin."""
        match = re.search(r'value="([^"]*/invitation/[^"]+)"', self.get("/people").text)
        assert match is not None
        return unescape(match[1])

    @property
    def cookie(self) -> str:
        """The header that a browser sends."""
        return "; ".join(f"{name}={value}" for name, value in self.http.cookies.items())

    def create_room(self, name: str = "Room", visibility: str = "private", topic: str = "") -> str:
        """Make a room and give its wire name."""
        answer = self.post("/rooms/new", "/rooms/new", name=name, topic=topic, visibility=visibility)
        match = re.search(r"/rooms/(\d+)$", answer.url)
        assert match is not None, answer.text
        return f"room_{match[1]}"

    def invite(self, room: str, person: "Person") -> None:
        """Invite somebody into a room."""
        path = room_path(room)
        answer = self.post(f"{path}/members", f"{path}/settings", username=person.username)
        assert answer.ok, answer.text

    def remove(self, room: str, person: "Person") -> requests.Response:
        """Remove somebody from a room."""
        path = room_path(room)
        return self.post(f"{path}/members/{person.id}/remove", f"{path}/settings")

    def create_token(self, scope: str = "write", name: str = "a program") -> str:
        """Make an API token."""
        page = self.post("/settings/tokens", "/settings/tokens", name=name, scope=scope)
        match = re.search(r'id="token"[^>]*value="([^"]+)"', page.text)
        assert match is not None, page.text
        return match[1]

    def api(self, token: str | None = None) -> "Api":
        """Give a program that acts in the person's name, with a new token unless one is given."""
        return Api(self.server, token or self.create_token())

    @property
    def id(self) -> int:
        """The account's number."""
        match = re.search(r'data-user-id="(\d+)"', self.get("/").text)
        assert match is not None
        return int(match[1])

    def connect(self, kind: "Callable[[str, str], Socket] | None" = None) -> "Socket":
        """Open a socket, with the Python client unless another kind is asked for."""
        socket = (kind or PythonSocket)(self.server.url, self.cookie)
        self.sockets.append(socket)
        return socket

    def elsewhere(self, server: Server) -> "Person":
        """The same person with the same sign-in, on another process of the installation."""
        other = Person(server, self.username)
        other.http, other.sockets = self.http, self.sockets
        return other

    def close(self) -> None:
        """Close the sockets."""
        for socket in self.sockets:
            socket.close()
        self.http.close()


class Api:
    """A program with a token."""

    def __init__(self, server: Server, token: str) -> None:
        self._url = f"{server.url}/api"
        self._headers = {"Authorization": f"Bearer {token}"}

    def get(self, path: str, **options: Any) -> requests.Response:
        """Read something."""
        return self.request("GET", path, **options)

    def post(self, path: str, **options: Any) -> requests.Response:
        """Write something new."""
        return self.request("POST", path, **options)

    def request(
        self, method: str, path: str, headers: dict[str, str] | None = None, **options: Any
    ) -> requests.Response:
        """Send a request."""
        return requests.request(
            method, self._url + path, headers=self._headers | (headers or {}), timeout=30, **options
        )


class Socket:
    """A connection to the server. It keeps every event in the order of arrival."""

    events: list[Event]

    def call(self, event: str, *payload: Any, timeout: float = 20) -> Any:
        """Emit an event and give its acknowledgement."""
        return self.emit(event, *payload)(timeout)

    def emit(self, event: str, *payload: Any) -> Callable[[float], Any]:
        """Emit an event; give a function that waits for its acknowledgement."""
        raise NotImplementedError

    def close(self) -> None:
        """Disconnect."""
        raise NotImplementedError

    def is_connected(self) -> bool:
        """Whether the connection stands."""
        raise NotImplementedError

    def join(self, conversation: str = "general", **cursor: Any) -> Any:
        """Join a conversation; it must be allowed."""
        answer = self.call("join_chat", {"conversation": conversation, **cursor})
        assert answer["ok"], answer
        return answer

    def send(self, content: Any, conversation: str = "general", client_id: str | None = None) -> Any:
        """Send a message and give the acknowledgement."""
        return self.call("send_message", message_payload(content, conversation, client_id))

    def post(self, content: str, conversation: str = "general") -> dict[str, Any]:
        """Send a message that must be accepted and give it as it is stored."""
        answer = self.send(content, conversation)
        assert answer["ok"], answer
        message: dict[str, Any] = answer["message"]
        return message

    def payloads(self, event: str) -> list[Any]:
        """List what came with an event so far."""
        return [payload for name, payload in list(self.events) if name == event]

    def messages(self, conversation: str = "general") -> list[dict[str, Any]]:
        """List the new messages that came so far."""
        return [message for message in self.payloads("chat_message") if message["conversation"] == conversation]

    def contents(self, conversation: str = "general") -> list[str]:
        """List what the new messages say."""
        return [message["content"] for message in self.messages(conversation)]

    def wait_for(self, event: str, count: int = 1) -> list[Any]:
        """Wait until an event came `count` times."""
        eventually(lambda: len(self.payloads(event)) >= count, f"{event} came {count} times")
        return self.payloads(event)

    def hear(self, *contents: str, conversation: str = "general") -> None:
        """Wait until the new messages say just this."""
        eventually(lambda: self.contents(conversation) == list(contents), f"heard {contents}")


class PythonSocket(Socket):
    """The python-socketio client."""

    transports: tuple[str, ...] = ("websocket",)

    def __init__(self, url: str, cookie: str) -> None:
        self.events = []
        # The library keeps its JSON for all clients and servers of a process: ours would not send what is malformed.
        self._client = socketio.Client(reconnection=False, json=json)
        # The library hands what comes to a thread each: of several packets in one write any could be noted first.
        trigger = self._client.eio._trigger_event
        self._client.eio._trigger_event = lambda event, *told, **_: trigger(event, *told)
        self._client.on("*", lambda event, *payload: self.events.append((event, payload[0] if payload else None)))
        self._client.connect(url, headers={"Cookie": cookie}, transports=list(self.transports))

    def emit(self, event: str, *payload: Any) -> Callable[[float], Any]:
        arrived = threading.Event()
        answers: list[Any] = []

        def acknowledge(*answer: Any) -> None:
            answers.extend(answer)
            arrived.set()

        def wait(timeout: float) -> Any:
            assert arrived.wait(timeout), f"no acknowledgement of {event} within {timeout} s"
            return answers[0]

        self._client.emit(event, payload if len(payload) != 1 else payload[0], callback=acknowledge)
        return wait

    def is_connected(self) -> bool:
        return bool(self._client.connected)

    def close(self) -> None:
        self._client.disconnect()


class JavaScriptSocket(Socket):
    """The official JavaScript client, in a process of Node's."""

    def __init__(self, url: str, cookie: str) -> None:
        self.events = []
        self._lock = threading.Lock()
        self._answers: dict[str, Any] = {}
        self._connected = False
        self._error: str | None = None
        self._process = subprocess.Popen(
            [find_node(), str(Path(__file__).with_name("chat_client.mjs")), url, cookie],
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
                case {"answer": key, "payload": payload}:
                    self._answers[key] = payload
                case {"event": event, "payload": payload}:
                    self.events.append((event, payload))

    def emit(self, event: str, *payload: Any) -> Callable[[float], Any]:
        key = str(uuid.uuid4())
        assert self._process.stdin is not None
        with self._lock:
            self._process.stdin.write(json.dumps({"key": key, "event": event, "payload": list(payload)}) + "\n")
            self._process.stdin.flush()

        def wait(timeout: float) -> Any:
            eventually(lambda: key in self._answers, f"acknowledgement of {event}", timeout)
            return self._answers.pop(key)

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


def find_node() -> str:
    """Find Node: the system's, or the one that bin/setup brought."""
    node = shutil.which("node") or shutil.which("node", path=str(ROOT / ".venv-node" / "bin"))
    assert node, "there is no node: run bin/setup --dev"
    return node


def find_csrf_token(page: str) -> str:
    """Find the token of a page's forms."""
    match = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', page)
    assert match is not None, f"no form on this page: {page[:500]}"
    return match[1]


def room_path(room: str) -> str:
    """Give the address of a room's page."""
    return "/rooms/" + room.removeprefix("room_")


def message_payload(content: Any, conversation: str = "general", client_id: str | None = None) -> dict[str, Any]:
    """Give what `send_message` carries."""
    return {"conversation": conversation, "content": content, "client_id": client_id or str(uuid.uuid4())}


def drawn_messages(page: str) -> list[tuple[int, str]]:
    """List number and text of the messages on a page, as the server drew them."""
    found = re.findall(
        r'<li class="message"[^>]*data-seq="(\d+)".*?class="message-body[^"]*">(.*?)</div>', page, re.DOTALL
    )
    return [(int(seq), unescape(body)) for seq, body in found]
