"""Model servers: the published mock `@copilotkit/aimock`, which implements OpenAI's protocol, and a simple one."""

import json
import subprocess
import threading
from collections.abc import Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self

import requests

from tests.harness import ROOT
from tests.harness.browser_code import find_node
from tests.harness.ports import free_port
from tests.harness.waiting import eventually, scaled

LONG = " ".join(f"word{number}" for number in range(200))
"""The response to “talk”."""

FIXTURES: list[dict[str, Any]] = [
    {"match": {"userMessage": "talk"}, "response": {"content": LONG}, "latency": 25, "chunkSize": 8},
    {"match": {"userMessage": "hello"}, "response": {"content": "Good **morning**, Ana."}, "chunkSize": 4},
    {"match": {"userMessage": "break"}, "response": {"content": LONG}, "latency": 20, "truncateAfterChunks": 5},
    {"match": {"userMessage": "silence"}, "response": {"content": "too late"}, "latency": 5000},
    {"match": {"userMessage": "busy"}, "response": {"error": {"message": "slow down"}, "status": 429}},
    {"match": {"userMessage": "locked"}, "response": {"error": {"message": "bad key sk-1234"}, "status": 401}},
    {"match": {"userMessage": "broken"}, "response": {"error": {"message": "oops"}, "status": 500}},
    {"match": {"userMessage": "garbage"}, "response": {"content": "x"}, "chaos": {"malformedRate": 1.0}},
    {"match": {"userMessage": "nothing"}, "response": {"content": ""}},
    {"match": {}, "response": {"content": "You asked something."}},
]


class ModelServer:
    """The mock as a process. Its response depends on a word in the question: see `FIXTURES`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}/v1"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> "ModelServer":
        """Start, and wait until it listens."""
        fixtures = self._folder / "fixtures.json"
        fixtures.write_text(json.dumps({"fixtures": FIXTURES}))
        program = ROOT / "node_modules" / "@copilotkit" / "aimock" / "dist" / "cli.js"
        assert program.exists(), "aimock is not installed: run bin/setup --dev"
        self._process = subprocess.Popen(
            [find_node(), str(program), "--port", str(self.port), "--fixtures", str(fixtures), "--log-level", "silent"]
        )
        eventually(self._is_ready, "the model server is ready", timeout=20)
        return self

    def stop(self) -> None:
        """End the process if it runs."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def received_requests(self) -> list[dict[str, Any]]:
        """Return the bodies of the requests so far."""
        entries = requests.get(f"http://127.0.0.1:{self.port}/__aimock/journal", timeout=scaled(10)).json()
        listed = entries if isinstance(entries, list) else entries["entries"]
        return [entry["body"] for entry in listed if entry["path"].endswith("/chat/completions")]

    def _is_ready(self) -> bool:
        try:
            return requests.get(f"http://127.0.0.1:{self.port}/health", timeout=scaled(1)).status_code < 500
        except requests.ConnectionError:
            return False


class EventServer:
    """A model server that responds to each request with the same events, which the mock cannot send."""

    def __init__(self, deltas: Sequence[dict[str, Any]], *, ends: bool = True) -> None:
        self.requests: list[dict[str, Any]] = []
        """The bodies of the requests so far."""
        self.is_over = threading.Event()
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                server.requests.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                self.send_response_only(200, "OK")
                self.send_header("Content-Type", "text/event-stream")
                self.send_header("Connection", "close")
                self.end_headers()
                for delta in deltas:
                    self._send({"delta": delta})
                if ends:
                    self._send({"delta": {}, "finish_reason": "stop"})
                else:
                    server.is_over.wait(60)

            def _send(self, choice: dict[str, Any]) -> None:
                self.wfile.write(f"data: {json.dumps({'choices': [choice]})}\n\n".encode())
                self.wfile.flush()

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/v1"

    def __enter__(self) -> Self:
        """Start."""
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop."""
        self.is_over.set()
        self._server.shutdown()
        self._server.server_close()


def write_assistants(path: Path, url: str, **options: str | float) -> Path:
    """Write a file of assistants: the built-in one, and `model`, which uses a model server."""
    settings = {"kind": "openai", "base_url": url, "model": "gpt-4o", "api_key": "sk-secret"} | options
    provider = ", ".join(f"{name} = {json.dumps(value)}" for name, value in settings.items())
    path.write_text(
        f'[[assistant]]\nname = "helper"\ntitle = "Helper"\n\n'
        f'[[assistant]]\nname = "model"\ntitle = "Model"\nprompt = "Be brief."\nprovider = {{ {provider} }}\n'
    )
    return path
