"""nginx with the configuration that the project ships, in front of servers of a test."""

import copy
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
from collections.abc import Sequence
from pathlib import Path

import requests

from tests.harness import ROOT
from tests.harness.ports import free_port
from tests.harness.servers import Server
from tests.harness.waiting import eventually, scaled

CONFIGURATION = ROOT / "deploy" / "nginx" / "chatapp.conf"

MAIN = """
{user}
daemon off;
pid nginx.pid;
error_log nginx.log;
events {{ worker_connections 4000; }}
http {{
    client_body_temp_path body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
    include chatapp.conf;
}}
"""
"""What the package of a distribution has around the project's configuration."""


class Nginx:
    """nginx on free ports of 127.0.0.1, which it keeps across restarts. Its certificate is self-signed."""

    def __init__(self, folder: Path, servers: Sequence[Server]) -> None:
        # Debian does not have it in the path of all users.
        binary = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
        assert binary, "nginx is not installed: run bin/setup --dev"
        self._command = [binary, "-p", str(folder), "-c", str(folder / "nginx.conf"), "-e", str(folder / "nginx.log")]
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        self.port, self.http_port = free_port(), free_port()
        self.url = f"https://127.0.0.1:{self.port}"
        self.certificate = folder / "fullchain.pem"
        self._create_certificate()
        user = "user root;" if os.getuid() == 0 else ""  # The default user cannot read the folder.
        (folder / "nginx.conf").write_text(MAIN.format(user=user))
        (folder / "chatapp.conf").write_text(self._adapt(CONFIGURATION.read_text(), servers))

    def _create_certificate(self) -> None:
        command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
        command += ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-days", "2"]
        command += ["-keyout", str(self._folder / "privkey.pem"), "-out", str(self.certificate)]
        subprocess.run(command, check=True, capture_output=True)

    def _adapt(self, configuration: str, servers: Sequence[Server]) -> str:
        """Replace addresses, ports and paths. Each of them must be in the configuration."""
        lines = "\n".join(f"    server 127.0.0.1:{server.port} max_fails=0;" for server in servers)
        for pattern, replacement in (
            (r"^    server 127\.0\.0\.1:5000 max_fails=0;$", lines),
            (r"^    listen \[::\]:\d+.*;\n", ""),
            (r"listen 80;", f"listen 127.0.0.1:{self.http_port};"),
            (r"listen 443 ", f"listen 127.0.0.1:{self.port} "),
            (r"chat\.example\.org;", "127.0.0.1;"),
            (r"/etc/letsencrypt/live/chat\.example\.org/", f"{self._folder}/"),
            (r"/var/log/nginx/", f"{self._folder}/"),
        ):
            configuration, count = re.subn(pattern, replacement, configuration, flags=re.MULTILINE)
            assert count, f"{pattern} is not in {CONFIGURATION}"
        return configuration

    def start(self) -> None:
        """Check the configuration, start, and wait until connections are accepted."""
        check = subprocess.run([*self._command, "-t"], capture_output=True, text=True, check=False)
        assert check.returncode == 0, check.stderr
        self._process = subprocess.Popen(self._command, cwd=self._folder, stderr=subprocess.DEVNULL)
        eventually(self._is_ready, "nginx is ready", timeout=15)

    def _is_ready(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, (self._folder / "nginx.log").read_text()[-2000:]
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=scaled(2)).close()
        except OSError:
            return False
        return True

    def stop(self) -> None:
        """End nginx at once, with all connections."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(timeout=scaled(15))

    def close(self) -> None:
        """End nginx if it runs."""
        if self._process is not None and self._process.poll() is None:
            self.stop()

    def tls(self) -> ssl.SSLContext:
        """Return a context that trusts the certificate."""
        return ssl.create_default_context(cafile=str(self.certificate))

    def trust(self, session: requests.Session) -> None:
        """Let an HTTP session trust the certificate, and send what browsers send with forms over HTTPS."""
        session.headers["Referer"] = f"{self.url}/"
        session.verify = str(self.certificate)
        session.trust_env = False  # A bundle of certificates named in the environment would replace it.

    def address(self, server: Server) -> Server:
        """Return a server whose URL is that of nginx."""
        behind = copy.copy(server)
        behind.url = self.url
        return behind

    def access_log(self) -> str:
        """Return the log of requests."""
        return (self._folder / "chatapp.log").read_text()
