"""A server to measure, on a data folder of its own."""

import os
import re
import sqlite3
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import requests

from tests.harness.people import Person
from tests.harness.servers import Server


class Installation:
    """A running server and its owner."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._owner = Person(server, "owner").set_up()
        self.url = server.url
        self.cookie = self._owner.cookie
        self.pid = server.pid

    def create_room(self, name: str) -> str:
        """Make a room and give its wire name."""
        return self._owner.create_room(name)

    def add_people(self, count: int) -> list[Person]:
        """Make accounts and sign them in. They have the owner's password: to hash each one takes time."""
        people = [Person(self._server, f"person{number}") for number in range(count)]
        for person in people:
            self._server.execute(
                "INSERT INTO users (username, name, password_hash, role, created_at) "
                f"SELECT '{person.username}', '{person.username}', password_hash, 'member', created_at "
                "FROM users WHERE id = 1"
            )
            person.sign_in()
        return people

    def fill(self, room: str, count: int) -> None:
        """Put `count` messages into a room, past the server: it looks as if they had been said."""
        number = int(re.sub(r"\D", "", room))
        query = """
            INSERT INTO messages (conversation_id, seq, version, sender_id, sender_type, message_type, content,
                                  client_id, created_at)
            WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < :count)
            SELECT :room, n, n, 1, 'user', 'text', 'Message number ' || n,
                   printf('%08x-0000-4000-8000-%012x', :room, n), '2026-01-01 00:00:00.000000'
            FROM numbers
        """
        with closing(sqlite3.connect(self._server.data_dir / "chatapp.sqlite3", timeout=60)) as database, database:
            database.execute(query, {"count": count, "room": number})
            database.execute(
                "UPDATE conversations SET last_event = ?, message_count = ? WHERE id = ?", (count, count, number)
            )

    def log(self) -> str:
        """Give what the server has written so far."""
        return self._server.log()

    def memory(self) -> float:
        """Give the memory that the server has in use, in MB."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        return int(status.partition("VmRSS:")[2].split()[0]) / 1024

    def session(self) -> requests.Session:
        """Give the owner's browser."""
        return self._owner.http

    def program(self) -> requests.Session:
        """Give a program that acts in the owner's name."""
        http = requests.Session()
        http.headers["Authorization"] = f"Bearer {self._owner.create_token()}"
        return http


@contextmanager
def installation(**settings: str) -> Iterator[Installation]:
    """Start a server, on the first of our cores."""
    with tempfile.TemporaryDirectory() as folder:
        server = Server(Path(folder) / "data", CHATAPP_LOG_LEVEL="WARNING", **settings)
        server.flask("db", "upgrade")
        server.start()
        try:
            core = str(min(os.sched_getaffinity(0)))
            subprocess.run(["taskset", "-a", "-p", "-c", core, str(server.pid)], check=True, stdout=subprocess.DEVNULL)
            yield Installation(server)
        finally:
            server.close()
