"""The provider for OpenAI-compatible APIs, on model servers that violate the protocol."""

import json
import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self

import pytest
from pydantic import HttpUrl

from chatapp.assistants.providers import GeneratedImage, ProviderFailed, Question, Turn
from chatapp.assistants.providers.openai import OpenAIProvider
from chatapp.assistants.providers.response_limits import IMAGE_LIMITS, TEXT_LIMITS, check_event
from chatapp.assistants.usage import Usage
from chatapp.concurrency.native import Interruption
from chatapp.config.assistants import OpenAIConfig
from chatapp.conversations.people import Person
from chatapp.files.attached import AttachedFile
from chatapp.limits.response_budget import MAX_BYTES_PER_SECOND, READ_BYTES, ResponseTooLarge
from tests.harness.ports import free_port

API_KEY = "sk-very-secret"
CHUNKED = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
TURNS = [Turn("system", "Be brief."), Turn("user", "Hi"), Turn("assistant", "Hello"), Turn("user", "How are you?")]


def make_provider(url: str, *, timeout: float = 10, max_seconds: float = 20, images: bool = False) -> OpenAIProvider:
    return OpenAIProvider(
        OpenAIConfig(
            kind="openai",
            base_url=HttpUrl(url),
            model="talker",
            api_key=API_KEY,
            timeout=timeout,
            max_seconds=max_seconds,
            retries=0,
            images=images,
        )
    )


def new_usage() -> Usage:
    return Usage("openai", "talker", estimated_prompt_tokens=30)


def answer(
    provider: OpenAIProvider, interruption: Interruption | None = None, usage: Usage | None = None
) -> Iterator[str | GeneratedImage]:
    # The provider does not search: it sends only the turns.
    return provider.answer(
        Question(TURNS, Person(1, "ana", "Ana"), None, interruption or Interruption(), usage or new_usage())  # type: ignore[arg-type]
    )


def fail(provider: OpenAIProvider) -> tuple[str, str]:
    """Return the content of an answer that fails, and the reason."""
    content: list[str] = []
    with pytest.raises(ProviderFailed) as failure:
        content.extend(map(str, answer(provider)))
    problem = str(failure.value)
    assert API_KEY not in problem
    assert len(problem) <= 300
    return "".join(content), problem


@pytest.mark.parametrize(
    "event",
    [
        "{broken",
        "[]",
        '"text"',
        '{"choices": 7}',
        '{"choices": [null]}',
        '{"other": 1}',
        pytest.param("[" * 100_000, id="deep"),
    ],
)
def test_a_malformed_event_fails_the_answer(event: str) -> None:
    with RawServer(f"data: {event}\n\ndata: [DONE]\n\n") as server:
        assert fail(make_provider(server.url)) == ("", "The model server sent an invalid response.")


def test_an_error_inside_the_stream_fails_the_answer_and_keeps_its_content() -> None:
    chunk = 'data: {"choices": [{"index": 0, "delta": {"content": "Well, "}}]}\n\n'
    with RawServer(f'{chunk}data: {{"error": {{"message": "{API_KEY}"}}}}\n\n') as server:
        assert fail(make_provider(server.url)) == ("Well, ", "The model server reported an error.")


@pytest.mark.parametrize(
    ("finish_reason", "problem"),
    [
        ("length", "The answer was cut off after 2000 tokens."),
        ("content_filter", "The model server withheld the rest of the answer."),
        ("stop", "The model did not answer."),
    ],
)
def test_an_incomplete_answer_fails(finish_reason: str, problem: str) -> None:
    with RawServer(f'data: {{"choices": [{{"delta": {{}}, "finish_reason": "{finish_reason}"}}]}}\n\n') as server:
        assert fail(make_provider(server.url)) == ("", problem)


def test_the_model_and_the_tokens_that_the_server_names_are_kept() -> None:
    chunk = '{"model": "talker-2", "choices": [{"delta": {"content": "Yes."}, "finish_reason": "stop"}]}'
    counts = '{"choices": [], "usage": {"prompt_tokens": 21, "completion_tokens": 3}}'
    usage = new_usage()
    with RawServer(f"data: {chunk}\n\ndata: {counts}\n\ndata: [DONE]\n\n") as server:
        assert list(answer(make_provider(server.url), usage=usage)) == ["Yes."]
    assert usage.to_metadata("Yes.") == {
        "provider": "openai",
        "model": "talker-2",
        "prompt_tokens": 21,
        "completion_tokens": 3,
        "is_estimated": False,
    }


@pytest.mark.parametrize(
    ("model", "counts"),
    [
        (None, None),
        (7, []),
        ("", {}),
        ("a\0", {"prompt_tokens": 1}),
        ("x" * 1_000, {"prompt_tokens": -1, "completion_tokens": 1}),
        ("\ud800", {"prompt_tokens": True, "completion_tokens": 1.5}),
        ("\n", {"prompt_tokens": 10**30, "completion_tokens": 1}),
    ],
)
def test_what_the_server_does_not_name_is_estimated(model: object, counts: object) -> None:
    usage = new_usage()
    usage.update(model, counts)
    assert usage.to_metadata("Good morning") == {
        "provider": "openai",
        "model": "talker",
        "prompt_tokens": 30,
        "completion_tokens": 7,
        "is_estimated": True,
    }


def test_a_stream_without_a_finish_reason_counts_as_a_lost_connection() -> None:
    with RawServer('data: {"choices": [{"delta": {"content": "Well, "}}]}\n\n') as server:
        assert fail(make_provider(server.url)) == ("Well, ", "The connection to the model server was lost.")


def test_a_server_that_is_down_fails_the_answer() -> None:
    provider = make_provider(f"http://127.0.0.1:{free_port()}/v1")
    assert fail(provider) == ("", "The model server cannot be reached.")


def test_closing_the_answer_closes_the_connection() -> None:
    chunk = 'data: {"choices": [{"index": 0, "delta": {"content": "word "}}]}\n\n'
    with RawServer(chunk, repeats=True) as server:
        pieces = answer(make_provider(server.url))
        next(pieces)
        pieces.close()  # type: ignore[attr-defined]

        assert server.was_disconnected.wait(10)


def test_a_stopped_answer_closes_the_connection_while_the_model_sends_only_its_reasoning() -> None:
    interruption = Interruption()
    with RawServer('data: {"choices": [{"delta": {"reasoning_content": "Hm. "}}]}\n\n', repeats=True) as server:
        threading.Timer(0.3, interruption.set).start()
        assert list(answer(make_provider(server.url), interruption)) == []
        assert server.was_disconnected.wait(10)


@pytest.mark.parametrize(
    "delta",
    ["{}", '{"role": "assistant", "content": ""}', '{"content": null}', '{"images": [{}]}'],
    ids=["none", "empty", "null", "images that are not wanted"],
)
def test_events_without_text_do_not_extend_the_timeout(delta: str) -> None:
    with RawServer(f'data: {{"choices": [{{"delta": {delta}}}]}}\n\n', repeats=True) as server:
        assert fail(make_provider(server.url, timeout=0.5)) == ("", "The model took too long to answer.")
        assert server.was_disconnected.wait(10)


@pytest.mark.parametrize("field", ["content", "reasoning_content"])
def test_an_answer_that_does_not_end_is_cut_off(field: str) -> None:
    with RawServer(f'data: {{"choices": [{{"delta": {{"{field}": "word "}}}}]}}\n\n', repeats=True) as server:
        problem = fail(make_provider(server.url, timeout=0.5, max_seconds=1.5))[1]
        assert problem == "The answer was cut off after 1.5 seconds."
        assert server.was_disconnected.wait(10)


@pytest.mark.parametrize("events", ["data: " + "x" * 70_000, ": " + "x" * 70_000, "data: x\n" * 10_000])
def test_a_huge_event_is_not_buffered(events: str) -> None:
    with RawServer(events, repeats=True) as server:
        assert fail(make_provider(server.url)) == ("", "The model server sent too much data.")
        assert server.was_disconnected.wait(10)


@pytest.mark.parametrize("images", [False, True])
@pytest.mark.parametrize("line", ["data:\n", ":\r\n", "x\r"])
def test_an_event_of_many_short_lines_is_not_buffered(line: str, images: bool) -> None:
    with RawServer(line * 20_000 + END) as server:
        assert fail(make_provider(server.url, images=images)) == ("", "The model server sent too much data.")


def test_many_events_of_any_length_are_no_huge_event() -> None:
    chunk = 'data: {"choices": [{"index": 0, "delta": {"content": "word "}}]}\n\n'
    end = 'data: {"choices": [{"delta": {}, "finish_reason": "stop"}]}\n\n'
    with RawServer(chunk * 6_000 + end) as server:
        assert "".join(map(str, answer(make_provider(server.url)))) == "word " * 6_000


def image_event(*urls: object) -> str:
    images = [{"type": "image_url", "image_url": {"url": url}} for url in urls]
    return f"data: {json.dumps({'choices': [{'delta': {'content': '', 'images': images}}]})}\n\n"


END = 'data: {"choices": [{"delta": {}, "finish_reason": "stop"}]}\n\n'


def test_images_are_pieces_of_an_answer_and_may_be_larger_than_a_text() -> None:
    urls = ["data:image/png;base64," + "A" * 400_000, "data:image/png;base64,AAAA"]
    with RawServer(image_event(*urls) + END) as server:
        assert list(answer(make_provider(server.url, images=True))) == [GeneratedImage(url) for url in urls]


@pytest.mark.parametrize(("images", "min_seconds", "max_seconds"), [(False, 0.3, 1), (True, 0.08, 0.2)])
def test_a_provider_with_images_reads_an_event_faster(
    images: bool, min_seconds: float, max_seconds: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    sleeps: list[float] = []
    monkeypatch.setattr(time, "sleep", sleeps.append)
    content = "word " * 40_000
    with RawServer(f"data: {json.dumps({'choices': [{'delta': {'content': content}}]})}\n\n{END}") as server:
        assert list(answer(make_provider(server.url, images=images))) == [content]
    assert min_seconds < sum(sleeps) < max_seconds


def test_the_largest_image_arrives_within_a_timeout_of_ten_seconds() -> None:
    assert IMAGE_LIMITS.event_bytes / IMAGE_LIMITS.bytes_per_second < 10


@pytest.mark.parametrize("part", ["[],", "0.1,", "    "])
def test_an_event_is_large_only_because_of_long_strings(part: str) -> None:
    count = TEXT_LIMITS.event_bytes // len(part)
    with pytest.raises(ResponseTooLarge):
        check_event(f'{{"choices": [{part * count}0]}}')
    check_event(f'{{"choices": [{part * (count // 2)}0], "url": "{"A" * TEXT_LIMITS.event_bytes}"}}')


@pytest.mark.parametrize("part", ["A" * 64, "A" * 63 + r"\/"])
def test_a_long_string_may_have_escaped_slashes(part: str) -> None:
    check_event(f'{{"url": "{part * (IMAGE_LIMITS.event_bytes // 80)}"}}')


@pytest.mark.parametrize("part", [r"\n", r"[\"", '","'])
def test_a_large_event_has_few_strings_and_escapes(part: str) -> None:
    with pytest.raises(ResponseTooLarge):
        check_event(f'["{part * 400_000}"]')


def test_an_event_that_is_nested_too_deeply_fails_the_answer() -> None:
    chunk = f'{{"choices": [{{"delta": {{"content": "word", "deep": {"[" * 40}{"]" * 40}}}}}]}}'
    with RawServer(f"data: {chunk}\n\n{END}") as server:
        assert fail(make_provider(server.url)) == ("", "The model server sent an invalid response.")


def test_images_are_ignored_unless_they_are_configured() -> None:
    with RawServer(image_event("data:image/png;base64,AAAA") + END) as server:
        assert fail(make_provider(server.url)) == ("", "The model did not answer.")


def test_an_event_has_at_most_one_image_more_than_a_message_may_have_files() -> None:
    with RawServer(image_event(*["data:,"] * 10_000) + END) as server:
        pieces = list(answer(make_provider(server.url, images=True)))
    assert pieces == [GeneratedImage("data:,")] * 101


@pytest.mark.parametrize("url", [None, 7, {}])
def test_an_image_without_a_url_fails_the_answer(url: object) -> None:
    with RawServer(image_event(url) + END) as server:
        problem = fail(make_provider(server.url, images=True))[1]
    assert problem == "The model server sent an invalid response."


def test_images_of_answers_are_sent_with_the_next_question() -> None:
    sun, moon = (AttachedFile(digest=each, name=each, media_type="image/png", kind="image", size=1) for each in "sm")
    turns = [Turn("user", "a sun?"), Turn("assistant", "yes", (sun,)), Turn("user", "like this?", (moon,))]
    with PickyServer("") as server:
        question = Question(turns, Person(1, "ana", "Ana"), None, image_urls={"s": "data:s", "m": "data:m"})  # type: ignore[arg-type]
        server.accepted_after = 0
        assert list(make_provider(server.url, images=True).answer(question)) == ["Yes."]
    (body,) = server.bodies
    assert body["modalities"] == ["image", "text"]
    images = [{"type": "image_url", "image_url": {"url": url}} for url in ("data:s", "data:m")]
    assert body["messages"] == [
        {"role": "user", "content": "a sun?"},
        {"role": "assistant", "content": "yes"},
        {"role": "user", "content": [{"type": "text", "text": "like this?"}, *images]},
    ]


@pytest.mark.parametrize(
    ("head", "rest"),
    [
        ("", "HTTP/1.1 100 Continue\r\n\r\n"),
        ("HTTP/1.1 200 OK\r\n", "X-Header: x\r\n"),
        (f"{CHUNKED}", "1;" + "x" * 60_000 + "\r\n\n\r\n"),
        (f"{CHUNKED}0\r\n", "X-Trailer: x\r\n"),
    ],
    ids=["informational responses", "headers", "extensions of chunks", "trailers"],
)
def test_a_response_that_never_ends_fails_the_answer_and_other_threads_run_meanwhile(
    head: str, rest: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    sleeps: list[float] = []
    monkeypatch.setattr(time, "sleep", sleeps.append)
    with RawServer(rest * 100, head=head, has_body=False, repeats=True) as server:
        assert fail(make_provider(server.url))[0] == ""
        assert server.was_disconnected.wait(10)
    # Pauses in proportion to what was received. Those of the server are longer.
    pauses = [seconds for seconds in sleeps if seconds <= READ_BYTES / MAX_BYTES_PER_SECOND]
    assert sum(pauses) >= 0.5 * READ_BYTES / MAX_BYTES_PER_SECOND


def test_responses_through_a_proxy_are_limited_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    with RawServer("HTTP/1.1 100 Continue\r\n\r\n" * 100, head="", has_body=False, repeats=True) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url.removesuffix("/v1"))
        assert fail(make_provider("http://model.example/v1")) == ("", "The model server sent too much data.")


def test_a_compressed_response_is_refused() -> None:
    with RawServer("x", head="HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n") as server:
        assert fail(make_provider(server.url)) == ("", "The model server sent too much data.")


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_refused(status: int) -> None:
    with RawServer("{}") as other:
        head = f"HTTP/1.1 {status} Moved\r\nLocation: {other.url}/chat/completions\r\nContent-Length: 0\r\n"
        with RawServer("", head=head) as server:
            problem = fail(make_provider(server.url))[1]
        assert problem == "The model server redirects to another address. Ask an admin to check assistants.toml."
        assert not other.was_connected


@pytest.mark.parametrize("status", ["400 Bad Request", "422 Unprocessable Entity"])
def test_a_server_that_rejects_the_request_for_token_counts_is_asked_without_it_from_then_on(status: str) -> None:
    with PickyServer(status) as server:
        provider = make_provider(server.url)
        for _ in range(2):
            usage = new_usage()
            assert list(answer(provider, usage=usage)) == ["Yes."]
            assert usage.to_metadata("Yes.")["is_estimated"]
    assert ["stream_options" in body for body in server.bodies] == [True, False, False]


def test_a_request_that_is_invalid_without_that_too_fails_and_is_no_reason_to_change_anything() -> None:
    with PickyServer("400 Bad Request", accepted_after=2) as server:
        provider = make_provider(server.url)
        assert fail(provider) == ("", "The model server rejected the request.")
        assert list(answer(provider)) == ["Yes."]
        server.accepted_after = 4
        # It is known to accept the option, so that is not the reason.
        assert fail(provider) == ("", "The model server rejected the request.")
    assert ["stream_options" in body for body in server.bodies] == [True, False, True, True]


class PickyServer:
    """A model server that rejects requests with `stream_options`, or with `accepted_after` the first requests."""

    def __init__(self, status: str, *, accepted_after: int | None = None) -> None:
        self.bodies: list[dict[str, object]] = []
        self.accepted_after = accepted_after
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                server.bodies.append(body)
                self.send_response_only(*server.response_to(body, status))
                self.send_header("Content-Type", "text/event-stream")
                self.send_header("Connection", "close")
                self.end_headers()
                chunk = '{"choices": [{"delta": {"content": "Yes."}, "finish_reason": "stop"}]}'
                self.wfile.write(f"data: {chunk}\n\ndata: [DONE]\n\n".encode())

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/v1"

    def response_to(self, body: dict[str, object], status: str) -> tuple[int, str]:
        """Return status and reason of the response to the last request."""
        is_accepted = (
            "stream_options" not in body if self.accepted_after is None else len(self.bodies) > self.accepted_after
        )
        code, _, reason = status.partition(" ")
        return (200, "OK") if is_accepted else (int(code), reason)

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


class RawServer:
    """An HTTP server that responds to one request with exactly these events."""

    def __init__(
        self, events: str, *, repeats: bool = False, head: str = "HTTP/1.1 200 OK\r\n", has_body: bool = True
    ) -> None:
        self._events = events.encode()
        self._head = head.encode()
        if has_body:
            self._head += b"Content-Type: text/event-stream\r\nConnection: close\r\n\r\n"
        self.was_connected = False
        self._repeats = repeats
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}/v1"
        self.was_disconnected = threading.Event()

    def __enter__(self) -> Self:
        threading.Thread(target=self._serve, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.close()

    def _serve(self) -> None:
        try:
            connection, _ = self._listener.accept()
        except OSError:
            return
        self.was_connected = True
        with connection:
            request = b""
            while b"\r\n\r\n" not in request or not request.endswith(b"}"):
                request += connection.recv(65_536)
            connection.sendall(self._head)
            connection.sendall(self._events)
            try:
                while self._repeats:
                    time.sleep(0.05)
                    connection.sendall(self._events)
            except OSError:
                self.was_disconnected.set()
