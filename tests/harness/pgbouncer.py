"""A private PgBouncer in transaction mode."""

import os
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

import psycopg

from tests.harness.ports import free_port
from tests.harness.servers import Postgres
from tests.harness.waiting import eventually, scaled

CONFIGURATION = """
[databases]
* = host=127.0.0.1 port={postgres_port} user=postgres
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = {sessions}
ignore_startup_parameters = options
query_wait_timeout = 3
server_login_retry = 1
"""


class PgBouncer:
    """A PgBouncer in front of a PostgreSQL."""

    sessions = 4
    """Sessions of PostgreSQL for all clients of a database."""

    def __init__(self, postgres: Postgres) -> None:
        binary = shutil.which("pgbouncer", path=f"{os.environ['PATH']}:/usr/sbin")
        assert binary, "pgbouncer is not installed: run bin/setup --dev"
        self._port = free_port()
        # It refuses to run as root, and pytest's folders are closed to other users.
        self._folder = Path(tempfile.mkdtemp(prefix="chatapp-pgbouncer-"))
        self._folder.chmod(0o755)
        path = self._folder / "pgbouncer.ini"
        self._configure(postgres)
        self._log = (self._folder / "log").open("wb")
        self._process = subprocess.Popen(
            [binary, str(path)],
            user="nobody" if os.getuid() == 0 else None,
            cwd="/",
            stdout=self._log,
            stderr=self._log,
        )
        eventually(self._is_ready, "PgBouncer is ready")

    def _configure(self, postgres: Postgres) -> None:
        path = self._folder / "pgbouncer.ini"
        path.write_text(CONFIGURATION.format(port=self._port, sessions=self.sessions, postgres_port=postgres.port))
        path.chmod(0o644)

    def lead_to(self, postgres: Postgres) -> None:
        """Forward to another PostgreSQL from now on."""
        self._configure(postgres)
        self._process.send_signal(signal.SIGHUP)

    def _is_ready(self) -> bool:
        assert self._process.poll() is None, (self._folder / "log").read_text()
        try:
            psycopg.connect(f"postgresql://postgres@127.0.0.1:{self._port}/postgres", connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True

    def url(self, url: str) -> str:
        """Return the URL of a database of PostgreSQL through PgBouncer."""
        return f"postgresql://postgres@127.0.0.1:{self._port}/{url.rpartition('/')[2]}"

    def close(self) -> None:
        """End the process."""
        self._process.send_signal(signal.SIGKILL)
        self._process.wait(timeout=scaled(15))
        self._log.close()
        shutil.rmtree(self._folder, ignore_errors=True)
