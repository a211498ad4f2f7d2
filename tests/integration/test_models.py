"""Servers of models that say over HTTP what the published one is too well-behaved to say."""

import socket
import threading
import time
from collections.abc import Iterator
from typing import Self

import pytest
from pydantic import HttpUrl

from chatapp.assistant_config import OpenAIConfig
from chatapp.assistants.providers import ProviderFailed, Question, Turn
from chatapp.assistants.providers.openai import OpenAIProvider
from chatapp.conversations.people import Person
from tests.harness.ports import free_port

KEY = "sk-very-secret"
TURNS = [Turn("system", "Be brief."), Turn("user", "Hi"), Turn("assistant", "Hello"), Turn("user", "How are you?")]


def provider(url: str, *, timeout: float = 10, retries: int = 0) -> OpenAIProvider:
    config = OpenAIConfig(
        kind="openai", base_url=HttpUrl(url), model="talker", api_key=KEY, timeout=timeout, retries=retries
    )
    return OpenAIProvider(config)


def ask(provider: OpenAIProvider) -> Iterator[str]:
    # It reads nothing by itself: what a model is given are the turns.
    return provider.answer(Question(TURNS, Person(1, "ana", "Ana"), search=None))  # type: ignore[arg-type]


def failure(provider: OpenAIProvider) -> tuple[str, str]:
    """What was said, and why no more."""
    said: list[str] = []
    with pytest.raises(ProviderFailed) as failed:
        said.extend(ask(provider))
    assert KEY not in str(failed.value)
    assert len(str(failed.value)) <= 300
    return "".join(said), str(failed.value)


@pytest.mark.parametrize("event", ["{broken", "[]", '"text"', '{"choices": 7}', '{"choices": [null]}', '{"other": 1}'])
def test_a_malformed_event_ends_an_answer(event: str) -> None:
    with RawServer(f"data: {event}\n\ndata: [DONE]\n\n") as raw:
        assert failure(provider(raw.url)) == ("", "The model server sent an invalid response.")


def test_an_error_in_the_middle_of_a_stream_is_told() -> None:
    begun = 'data: {"choices": [{"index": 0, "delta": {"content": "Well, "}}]}\n\n'
    with RawServer(f'{begun}data: {{"error": {{"message": "{KEY}"}}}}\n\n') as raw:
        said, problem = failure(provider(raw.url))

    assert said == "Well, "
    assert "reported an error" in problem


@pytest.mark.parametrize(
    ("finish", "expected"),
    [("length", "cut off after 2000 tokens"), ("content_filter", "withheld"), ("stop", "did not answer")],
)
def test_an_end_that_is_no_good_one_is_told(finish: str, expected: str) -> None:
    with RawServer(f'data: {{"choices": [{{"delta": {{}}, "finish_reason": "{finish}"}}]}}\n\n') as raw:
        assert expected in failure(provider(raw.url))[1]


def test_an_answer_that_ends_without_a_reason_has_broken_off() -> None:
    with RawServer('data: {"choices": [{"delta": {"content": "Well, "}}]}\n\n') as raw:
        assert failure(provider(raw.url)) == ("Well, ", "The connection to the model server was lost.")


def test_nobody_at_the_address_is_told() -> None:
    said, problem = failure(provider(f"http://127.0.0.1:{free_port()}/v1"))

    assert said == ""
    assert "cannot be reached" in problem


def test_an_answer_that_is_not_wanted_any_more_is_hung_up_on() -> None:
    chunk = 'data: {"choices": [{"index": 0, "delta": {"content": "word "}}]}\n\n'
    with RawServer(chunk, is_endless=True) as raw:
        pieces = ask(provider(raw.url))
        next(pieces)
        pieces.close()  # type: ignore[attr-defined]

        assert raw.was_hung_up.wait(10)


class RawServer:
    """An HTTP server that answers one request with exactly these events."""

    def __init__(self, events: str, *, is_endless: bool = False) -> None:
        self._events = events.encode()
        self._is_endless = is_endless
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}/v1"
        self.was_hung_up = threading.Event()

    def __enter__(self) -> Self:
        threading.Thread(target=self._serve, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.close()

    def _serve(self) -> None:
        connection, _ = self._listener.accept()
        with connection:
            request = b""
            while b"\r\n\r\n" not in request or not request.endswith(b"}"):
                request += connection.recv(65_536)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n")
            connection.sendall(self._events)
            try:
                while self._is_endless:
                    time.sleep(0.05)
                    connection.sendall(self._events)
            except OSError:
                self.was_hung_up.set()
