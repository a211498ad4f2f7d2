"""The server under measurement, with a data folder of its own."""

import os
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

import requests
from flask import Flask
from flask.sessions import SecureCookieSessionInterface

from chatapp.models.conversations import GENERAL_ID
from chatapp.tokens import hash_token, new_token
from chatapp.web.security import SESSION_COOKIE
from tests.harness import ROOT
from tests.harness.assistants import start_session
from tests.harness.people import Person
from tests.harness.servers import Server

SERVER_CORE, LOAD_CORE = min(os.sched_getaffinity(0)), max(os.sched_getaffinity(0))
"""Determined before any process is bound to one of them."""

UNLIMITED = {
    "CHATAPP_EVENTS_PER_SECOND": "0",
    "CHATAPP_CONNECTIONS_PER_SECOND": "0",
    "CHATAPP_MAX_CONNECTIONS_PER_ADDRESS": "0",
    "CHATAPP_MAX_CONNECTIONS_PER_LOGIN": "0",
}
"""Settings of a server without rate limits."""


class Installation:
    """A running server, and its owner's account."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._owner = Person(server, "owner").set_up()
        self.url = server.url
        self.cookie = self._owner.cookie
        self.pid = server.pid

    def create_room(self, name: str) -> str:
        """Create a room and return its wire name."""
        return self._owner.create_room(name)

    def restart(self, **settings: str) -> None:
        """Restart the server with other settings. Login sessions remain valid."""
        self._server.terminate()
        self._server.start(**settings)
        self.pid = self._server.pid
        _pin(self.pid)

    def add_people(self, count: int) -> list[Person]:
        """Create accounts with login sessions, in the database: the server allows only 60 sign-ups a minute."""
        people = [Person(self._server, f"person{number}") for number in range(count)]
        tokens = {person.username: new_token() for person in people}
        with closing(self._server.connect_sqlite()) as database, database:
            database.executemany(
                "INSERT INTO users (username, name, password_hash, role, created_at) "
                "SELECT ?, ?, password_hash, 'member', created_at FROM users WHERE id = 1",
                [(username, username) for username in tokens],
            )
            # Like the owner's: which columns there are depends on the commit under measurement.
            columns = [row[1] for row in database.execute("PRAGMA table_info(user_sessions)")]
            others = ", ".join(name for name in columns if name not in {"id", "user_id", "token_hash"})
            database.executemany(
                f"INSERT INTO user_sessions (user_id, token_hash, {others}) "
                f"SELECT (SELECT id FROM users WHERE username = ?), ?, {others} FROM user_sessions WHERE id = 1",
                [(username, hash_token(token)) for username, token in tokens.items()],
            )
        sign = self._signer()
        for person in people:
            cookie = sign({"_user_id": tokens[person.username], "_fresh": True})
            person.http.cookies.set(SESSION_COOKIE, cookie, domain="127.0.0.1", path="/")
        return people

    def _signer(self) -> Callable[[object], str]:
        app = Flask("chatapp")
        app.secret_key = self._server.secret_key()
        serializer = SecureCookieSessionInterface().get_signing_serializer(app)
        assert serializer is not None
        return serializer.dumps

    def add_members(self, room: str, people: Sequence[Person]) -> None:
        """Make people members of a room or of the general chat, in the database."""
        names = ", ".join(f"'{person.username}'" for person in people)
        self._server.execute(
            "INSERT INTO memberships (conversation_id, user_id, role, created_at) "
            f"SELECT {_conversation_id(room)}, id, 'member', created_at FROM users WHERE username IN ({names})"
        )

    admit = add_members
    """The name that comparisons outside of this repository use."""

    def fill(self, room: str, count: int, *, senders: int = 1, unread: int = 0) -> None:
        """Insert `count` messages into a room or the general chat, in the database, as if they had been posted.

        Each of the first `senders` accounts sends two in turn. All members have read all but the last `unread`.
        """
        number = _conversation_id(room)
        query = """
            INSERT INTO messages (conversation_id, seq, version, sender_id, sender_type, message_type, content,
                                  client_id, created_at)
            WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < :count)
            SELECT :room, n, n, 1 + n / 2 % :senders, 'user', 'text', 'Message number ' || n,
                   printf('%08x-0000-4000-8000-%012x', :room, n), '2026-01-01 00:00:00.000000'
            FROM numbers
        """
        with closing(self._server.connect_sqlite()) as database, database:
            database.execute(query, {"count": count, "room": number, "senders": senders})
            database.execute(
                "UPDATE conversations SET last_event = ?, message_count = ? WHERE id = ?", (count, count, number)
            )
            database.execute(
                "UPDATE memberships SET last_read_seq = ? WHERE conversation_id = ?", (count - unread, number)
            )
            database.commit()
            # Otherwise each read would search a log of hundreds of MB, which no server has: it commits in small parts.
            database.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def fill_with(self, write: Callable[[Server], object]) -> None:
        """Let a function write to the database of the server."""
        write(self._server)

    def add_session(self, person: Person, answers: Sequence[str]) -> str:
        """Start a session of a person, insert answers of its assistant in the database, and return its wire name."""
        conversation = start_session(person)
        number = int(conversation.removeprefix("assistant_"))
        with closing(self._server.connect_sqlite()) as database, database:
            database.executemany(
                "INSERT INTO messages (conversation_id, seq, version, sender_type, sender_name, message_type, content, "
                "state, created_at) VALUES (?, ?, ?, 'assistant', 'Helper', 'text', ?, 'complete', "
                "'2026-01-01 00:00:00.000000')",
                [(number, seq, seq, content) for seq, content in enumerate(answers, 1)],
            )
            database.execute("UPDATE conversations SET last_event = ? WHERE id = ?", (len(answers), number))
        return conversation

    def log(self) -> str:
        """Return the server's log."""
        return self._server.log()

    def memory(self) -> float:
        """Return the resident memory of the server in MB."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        return int(status.partition("VmRSS:")[2].split()[0]) / 1024

    def processor_seconds(self) -> float:
        """Return the processor time that the server has used."""
        return processor_seconds(self.pid)

    def browser(self) -> requests.Session:
        """Return an HTTP session with the owner's cookie."""
        return self._owner.http

    def api_client(self) -> requests.Session:
        """Return an HTTP session with an API token of the owner."""
        http = requests.Session()
        http.headers["Authorization"] = f"Bearer {self._owner.create_token()}"
        return http


@contextmanager
def installation(root: Path = ROOT, /, **settings: str) -> Iterator[Installation]:
    """Start the server of the code in a folder, on a core of its own."""
    with tempfile.TemporaryDirectory() as folder:
        server = Server(Path(folder) / "data", root, CHATAPP_LOG_LEVEL="WARNING", **settings)
        server.flask("db", "upgrade")
        server.start()
        try:
            _pin(server.pid)
            yield Installation(server)
        finally:
            server.close()


def processor_seconds(pid: int) -> float:
    """Return the processor time that a process has used, with that of the children it has waited for."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(int(ticks) for ticks in fields[11:15]) / os.sysconf("SC_CLK_TCK")


def _conversation_id(name: str) -> int:
    """Return the id of the conversation with a wire name."""
    return GENERAL_ID if name == "general" else int(name.removeprefix("room_"))


def _pin(pid: int) -> None:
    core = str(SERVER_CORE)
    subprocess.run(["taskset", "-a", "-p", "-c", core, str(pid)], check=True, stdout=subprocess.DEVNULL)
