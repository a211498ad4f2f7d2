"""Provider for model servers with an OpenAI-compatible API: OpenAI itself, Ollama, vLLM, llama.cpp and others."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from functools import cached_property
from typing import TYPE_CHECKING, Any

import structlog

from chatapp.assistant_config import OpenAIConfig
from chatapp.assistants.providers import ProviderFailed, Question

if TYPE_CHECKING:
    from openai import APIError, OpenAI

log = structlog.get_logger(__name__)

CONNECT_TIMEOUT_SECONDS = 10.0

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
        self._config = config

    def answer(self, question: Question) -> Iterator[str]:
        """Yield the model's answer. Raises `ProviderFailed`."""
        import openai

        has_content, finish_reason = False, None
        try:
            with closing(self._request(question)) as chunks:
                for chunk in chunks:
                    content, reason = _parse_chunk(chunk)
                    finish_reason = reason or finish_reason
                    if content:
                        has_content = True
                        yield content
        except openai.APIError as error:
            status = error.status_code if isinstance(error, openai.APIStatusError) else None
            log.warning("model failed", model=self._config.model, kind=type(error).__name__, status=status)
            raise ProviderFailed(_explain(error, has_content=has_content)) from error
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            raise ProviderFailed("The model server sent an invalid response.") from error
        if finish_reason == "length":
            raise ProviderFailed(f"The answer was cut off after {self._config.max_tokens} tokens.")
        if finish_reason == "content_filter":
            raise ProviderFailed("The model server withheld the rest of the answer.")
        if not has_content:
            raise ProviderFailed("The model did not answer.")
        if finish_reason is None:
            # A complete answer has a finish reason, even where the connection was closed in an orderly way.
            raise ProviderFailed("The connection to the model server was lost.")

    @cached_property
    def _client(self) -> OpenAI:
        # The library takes about 50 MB and most of a second to import: only assistants that use it pay for it.
        import openai

        return openai.OpenAI(
            base_url=str(self._config.base_url),
            api_key=self._config.effective_api_key,
            timeout=openai.Timeout(self._config.timeout, connect=CONNECT_TIMEOUT_SECONDS),
            max_retries=self._config.retries,
        )

    def _request(self, question: Question) -> Any:
        from openai import Stream

        # OpenAI's newer models reject the older parameter, many other servers know only that one.
        is_openai = self._config.base_url.host == "api.openai.com"
        body = {
            "model": self._config.model,
            "messages": [{"role": turn.role, "content": turn.content} for turn in question.turns],
            "max_completion_tokens" if is_openai else "max_tokens": self._config.max_tokens,
            "stream": True,
        }
        # Chunks as plain objects: converting them to the library's models takes longer than everything else.
        return self._client.post("/chat/completions", body=body, cast_to=object, stream=True, stream_cls=Stream[object])


def _parse_chunk(chunk: Any) -> tuple[str | None, str | None]:
    """Return the content and the finish reason of a chunk, each None if the chunk has none."""
    choices = chunk["choices"]
    if not choices:
        return None, None
    content = choices[0]["delta"].get("content")
    if content is not None and not isinstance(content, str):
        raise TypeError("content is not a string")
    return content, choices[0].get("finish_reason")


def _explain(error: APIError, *, has_content: bool) -> str:
    """Return the text for users. The server's own message is left out: it may quote the request."""
    import openai

    if isinstance(error, openai.APITimeoutError):
        return "The model took too long to answer."
    if isinstance(error, openai.APIConnectionError):
        return "The connection to the model server was lost." if has_content else "The model server cannot be reached."
    if isinstance(error, openai.APIStatusError):
        return STATUS_PROBLEMS.get(error.status_code, "The model server has a problem. Try again later.")
    return "The model server reported an error."
