"""Provider for model servers with an OpenAI-compatible API: OpenAI itself, Ollama, vLLM, llama.cpp and others."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING, Any

import structlog

from chatapp.assistants.providers import GeneratedImage, ProviderFailed, Question, Turn
from chatapp.concurrency.native import Interrupted, TimeLimitExceeded, time_limit
from chatapp.config.assistants import OpenAIConfig
from chatapp.limits.response_budget import ResponseTooLarge

if TYPE_CHECKING:
    from openai import APIError, OpenAI

log = structlog.get_logger(__name__)

CONNECT_TIMEOUT_SECONDS = 10.0

TOO_SLOW_PROBLEM = "The model took too long to answer."

REDIRECTS = range(300, 400)

MAX_IMAGES_PER_CHUNK = 101
"""One more than a message may have files (`max_message_files`): the answer has a notice that one is missing."""

_END = object()

_Pieces = Sequence["str | GeneratedImage"]

STATUS_PROBLEMS = {
    400: "The model server rejected the request.",
    401: "The model server rejected the API key. Ask an admin to check assistants.toml.",
    403: "The model server denies access to this model. Ask an admin to check assistants.toml.",
    404: "The model server does not have this model. Ask an admin to check assistants.toml.",
    413: "The question and its context are too long for the model.",
    422: "The model server rejected the request.",
    429: "The model server is overloaded, or the quota is used up. Try again later.",
}
"""Messages to users by the status of the model server's response."""


class OpenAIProvider:
    """Streams answers with the official library, which handles connections, timeouts and retries."""

    def __init__(self, config: OpenAIConfig) -> None:
        # The library takes about 50 MB and most of a second to import: only installations that use it pay for it.
        import openai  # noqa: F401

        self._config = config
        self._is_usage_accepted: bool | None = None
        """Whether the server accepts the request to count tokens; None as long as that is not known."""

    def answer(self, question: Question) -> Iterator[str | GeneratedImage]:
        """Yield the model's answer, until it is interrupted. Raises `ProviderFailed`."""
        import openai

        has_content, finish_reason = False, None
        ends_at = time.monotonic() + self._config.max_seconds
        try:
            for pieces, reason in self._stream(question, ends_at):
                finish_reason = reason or finish_reason
                for piece in pieces:
                    has_content = True
                    yield piece
        except Interrupted:
            return
        except TimeLimitExceeded as error:
            raise ProviderFailed(self._cut_off_problem if time.monotonic() >= ends_at else TOO_SLOW_PROBLEM) from error
        except ResponseTooLarge as error:
            raise ProviderFailed("The model server sent too much data.") from error
        except openai.APIError as error:
            status = error.status_code if isinstance(error, openai.APIStatusError) else None
            log.warning("model failed", model=self._config.model, kind=type(error).__name__, status=status)
            raise ProviderFailed(_explain(error, has_content=has_content)) from error
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
            raise ProviderFailed("The model server sent an invalid response.") from error
        if problem := self._find_problem(has_content=has_content, finish_reason=finish_reason):
            raise ProviderFailed(problem)

    @property
    def _cut_off_problem(self) -> str:
        return f"The answer was cut off after {self._config.max_seconds:g} seconds."

    def _find_problem(self, *, has_content: bool, finish_reason: str | None) -> str | None:
        """Return why a stream that ended is not a complete answer; None if it is one."""
        if finish_reason == "length":
            return f"The answer was cut off after {self._config.max_tokens} tokens."
        if finish_reason == "content_filter":
            return "The model server withheld the rest of the answer."
        if not has_content:
            return "The model did not answer."
        if finish_reason is None:
            # A complete answer has a finish reason, even where the connection was closed in an orderly way.
            return "The connection to the model server was lost."
        return None

    @cached_property
    def _client(self) -> OpenAI:
        import openai

        from chatapp.assistants.providers.response_limits import IMAGE_LIMITS, TEXT_LIMITS, limit_responses

        # A redirect would send the conversation to an address that no admin has configured.
        http_client = openai.DefaultHttpxClient(follow_redirects=False)
        limit_responses(http_client, IMAGE_LIMITS if self._config.images else TEXT_LIMITS)
        return openai.OpenAI(
            base_url=str(self._config.base_url),
            api_key=self._config.effective_api_key,
            timeout=openai.Timeout(self._config.timeout, connect=CONNECT_TIMEOUT_SECONDS),
            max_retries=self._config.retries,
            default_headers={"Accept-Encoding": "identity"},
            http_client=http_client,
        )

    def _request(self, question: Question) -> Any:
        from openai import BadRequestError, UnprocessableEntityError

        from chatapp.assistants.providers.response_limits import LimitedStream

        # OpenAI's newer models reject the older parameter, many other servers know only that one.
        is_openai = self._config.base_url.host == "api.openai.com"
        body = {
            "model": self._config.model,
            "messages": list(_present_turns(question.turns, question.image_urls)),
            "max_completion_tokens" if is_openai else "max_tokens": self._config.max_tokens,
            "stream": True,
        }
        if self._config.images:
            body["modalities"] = ["image", "text"]

        def send(options: dict[str, object]) -> Any:
            # Chunks as plain objects: converting them to the library's models takes longer than everything else.
            return self._client.post(
                "/chat/completions", body=body | options, cast_to=object, stream=True, stream_cls=LimitedStream
            )

        if self._is_usage_accepted is False:
            return send({})
        try:
            response = send({"stream_options": {"include_usage": True}})
        except (BadRequestError, UnprocessableEntityError):
            if self._is_usage_accepted:
                raise
            # Some servers reject options that they do not know. It is their answer to this request without the option
            # that shows whether that was the reason.
            response = send({})
            log.info("model server counts no tokens", model=self._config.model)
            self._is_usage_accepted = False
            return response
        self._is_usage_accepted = True
        return response

    def _stream(self, question: Question, ends_at: float) -> Iterator[tuple[_Pieces, str | None]]:
        """Yield the content and the finish reason of each chunk until `ends_at`. Raises `TimeLimitExceeded`."""
        with _limit_wait(question, ends_at):
            response = self._request(question)
        with closing(response) as chunks:
            for chunk in self._read(question, chunks, ends_at):
                question.usage.update(chunk.get("model"), chunk.get("usage"))
                yield _parse_chunk(chunk, has_images=self._config.images)

    def _read(self, question: Question, chunks: Iterator[Any], ends_at: float) -> Iterator[Any]:
        """Yield the chunks until `ends_at`, while each `timeout` seconds bring some text.

        Raises `TimeLimitExceeded`. Chunks without text and comments of the stream, which the library skips, do not
        extend the time.
        """
        while True:
            # The time that the caller took for the last chunk does not count.
            waits_until = min(time.monotonic() + self._config.timeout, ends_at)
            has_text = False
            while not has_text:
                with _limit_wait(question, waits_until):
                    chunk = next(chunks, _END)
                if chunk is _END:
                    return
                if time.monotonic() >= waits_until:
                    raise TimeLimitExceeded
                has_text = _has_text(chunk, has_images=self._config.images)
                if not has_text:
                    # A server may send such chunks without a pause. Other green threads run in between.
                    time.sleep(0)
                yield chunk


def _present_turns(turns: Sequence[Turn], image_urls: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    """Yield turns as JSON. The API takes images of users alone: those of an answer come with the next question."""
    answered: list[str] = []
    for turn in turns:
        urls = [image_urls[image.digest] for image in turn.images if image.digest in image_urls]
        if turn.role == "user":
            yield _present_turn(turn, answered + urls)
            answered = []
        else:
            yield _present_turn(turn, [])
            answered += urls


def _present_turn(turn: Turn, urls: Sequence[str]) -> dict[str, Any]:
    """Return a turn as JSON. Only one that has images is a list of parts, which not every server takes."""
    if not urls:
        return {"role": turn.role, "content": turn.content}
    images = [{"type": "image_url", "image_url": {"url": url}} for url in urls]
    return {"role": turn.role, "content": [{"type": "text", "text": turn.content}, *images]}


@contextmanager
def _limit_wait(question: Question, until: float) -> Iterator[None]:
    """Let the body wait until a time or an interruption. Raises `TimeLimitExceeded` or `Interrupted`."""
    with question.interruption.ends(), time_limit(until - time.monotonic()):
        yield


def _has_text(chunk: Any, *, has_images: bool) -> bool:
    """Return whether a chunk has a part of the answer, with its images if they are wanted, or of the reasoning."""
    choices = chunk["choices"]
    if not choices:
        return False
    delta = choices[0]["delta"]
    return (has_images and bool(delta.get("images"))) or any(
        isinstance(value, str) and value for name, value in delta.items() if name != "role"
    )


def _parse_chunk(chunk: Any, *, has_images: bool) -> tuple[_Pieces, str | None]:
    """Return the content of a chunk, with its images if they are wanted, and its finish reason or None."""
    choices = chunk["choices"]
    if not choices:
        return [], None
    delta = choices[0]["delta"]
    content = delta.get("content")
    if content is not None and not isinstance(content, str):
        raise TypeError("content is not a string")
    pieces: list[str | GeneratedImage] = [content] if content else []
    if has_images:
        # OpenAI's own models have no images there: it is the convention of OpenRouter, LiteLLM and Vercel.
        pieces += [_parse_image(each) for each in islice(delta.get("images") or (), MAX_IMAGES_PER_CHUNK)]
    return pieces, choices[0].get("finish_reason")


def _parse_image(value: Any) -> GeneratedImage:
    url = value["image_url"]["url"]
    if not isinstance(url, str):
        raise TypeError("the URL of an image is not a string")
    return GeneratedImage(url)


def _explain(error: APIError, *, has_content: bool) -> str:
    """Return the text for users. The server's own message is left out: it may quote the request."""
    import openai

    if isinstance(error, openai.APITimeoutError):
        return TOO_SLOW_PROBLEM
    if isinstance(error, openai.APIConnectionError):
        return "The connection to the model server was lost." if has_content else "The model server cannot be reached."
    if isinstance(error, openai.APIStatusError):
        if error.status_code in REDIRECTS:
            return "The model server redirects to another address. Ask an admin to check assistants.toml."
        return STATUS_PROBLEMS.get(error.status_code, "The model server has a problem. Try again later.")
    return "The model server reported an error."
