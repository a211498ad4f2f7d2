"""Models behind the protocol that OpenAI's API speaks: OpenAI itself, Ollama, vLLM, llama.cpp and others."""

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

CONNECTING = 10.0
"""Seconds that a connection may take."""

REASONS = {
    400: "The model did not accept the question.",
    401: "The model's server does not accept our key. An admin has to look at assistants.toml.",
    403: "The model's server does not let us use this model. An admin has to look at assistants.toml.",
    404: "The model's server knows no such model. An admin has to look at assistants.toml.",
    413: "The question, with what was said before, is too long for the model.",
    422: "The model did not accept the question.",
    429: "The model's server is too busy, or our quota is used up. Try again in a while.",
}


class OpenAIProvider:
    """Answers by the official library: it connects, waits, tries again before the first word, and names what failed."""

    def __init__(self, settings: OpenAIConfig) -> None:
        self._settings = settings

    def answer(self, question: Question) -> Iterator[str]:
        """Yield what the model says. Raises `ProviderFailed`."""
        import openai

        said, end = False, None
        try:
            with closing(self._ask(question)) as events:
                for event in events:
                    piece, reason = _read(event)
                    end = reason or end
                    if piece:
                        said = True
                        yield piece
        except openai.APIError as error:
            status = error.status_code if isinstance(error, openai.APIStatusError) else None
            log.warning("model failed", model=self._settings.model, kind=type(error).__name__, status=status)
            raise ProviderFailed(_explain(error, said=said)) from error
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            raise ProviderFailed("The model's server said something that is no answer.") from error
        if end == "length":
            raise ProviderFailed(f"The answer was cut at {self._settings.max_tokens} tokens.")
        if end == "content_filter":
            raise ProviderFailed("The model's server withheld the rest of the answer.")
        if not said:
            raise ProviderFailed("The model gave no answer.")
        if end is None:
            # However politely the connection was closed: a whole answer says why it ends.
            raise ProviderFailed("The connection to the model's server broke.")

    @cached_property
    def _client(self) -> OpenAI:
        # Some fifty megabytes and most of a second: only for those who use it.
        import openai

        return openai.OpenAI(
            base_url=str(self._settings.base_url),
            api_key=self._settings.effective_api_key,
            timeout=openai.Timeout(self._settings.timeout, connect=CONNECTING),
            max_retries=self._settings.retries,
        )

    def _ask(self, question: Question) -> Any:
        from openai import Stream

        # OpenAI's newer models refuse the older name, many other servers know no other one.
        is_openai = self._settings.base_url.host == "api.openai.com"
        body = {
            "model": self._settings.model,
            "messages": [{"role": turn.role, "content": turn.content} for turn in question.turns],
            "max_completion_tokens" if is_openai else "max_tokens": self._settings.max_tokens,
            "stream": True,
        }
        # Events as they are: to make the library's objects of them takes longer than all the rest.
        return self._client.post("/chat/completions", body=body, cast_to=object, stream=True, stream_cls=Stream[object])


def _read(event: Any) -> tuple[str | None, str | None]:
    """Give what an event adds to the answer, and why the answer ends with it; some add nothing, most end nothing."""
    choices = event["choices"]
    if not choices:
        return None, None
    content = choices[0]["delta"].get("content")
    if content is not None and not isinstance(content, str):
        raise TypeError("content is no text")
    return content, choices[0].get("finish_reason")


def _explain(error: APIError, *, said: bool) -> str:
    """Say to people what went wrong. What the server says is not shown: it may quote what it was sent."""
    import openai

    if isinstance(error, openai.APITimeoutError):
        return "The model took too long to answer."
    if isinstance(error, openai.APIConnectionError):
        return "The connection to the model's server broke." if said else "The model's server cannot be reached."
    if isinstance(error, openai.APIStatusError):
        return REASONS.get(error.status_code, "The model's server has a problem. Try again in a while.")
    return "The model's server reported an error."
