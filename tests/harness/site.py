"""A web site on this machine, whose pages tests link to."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass(frozen=True, slots=True)
class SitePage:
    """A response."""

    body: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=lambda: {"Content-Type": "text/html"})
    delay: float = 0.0


class Site(ThreadingHTTPServer):
    """Serves `pages` by their paths. `requested` has the paths of all requests."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.pages: dict[str, SitePage] = {}
        self.requested: list[str] = []
        self.running = self.most_running = 0
        """The number of requests at the same time, now and at most."""
        self.url = f"http://127.0.0.1:{self.server_port}"

    def add(self, path: str, title: str, head: str = "") -> str:
        """Add a page with this title, and return its URL."""
        self.pages[path] = SitePage(f"<title>{title}</title>{head}".encode())
        return self.url + path

    def redirect(self, path: str, target: str) -> str:
        """Redirect a path to another URL, and return its URL."""
        self.pages[path] = SitePage(status=302, headers={"Location": target})
        return self.url + path


class _Handler(BaseHTTPRequestHandler):
    server: Site

    def do_GET(self) -> None:
        site, page = self.server, self.server.pages.get(self.path, SitePage(status=404))
        site.requested.append(self.path)
        site.running += 1
        site.most_running = max(site.most_running, site.running)
        try:
            time.sleep(page.delay)
        finally:
            site.running -= 1
        self.send_response(page.status)
        for name, value in page.headers.items():
            self.send_header(name, value)
        self.end_headers()
        with suppress(OSError):  # The client may have read enough.
            self.wfile.write(page.body)

    def log_message(self, *_arguments: object) -> None:
        pass


@contextmanager
def running_site() -> Iterator[Site]:
    """Run a site while the body runs."""
    site = Site()
    thread = threading.Thread(target=site.serve_forever)
    thread.start()
    try:
        yield site
    finally:
        site.shutdown()
        thread.join()
        site.server_close()
