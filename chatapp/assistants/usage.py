"""The metadata of an answer: which model produced it, and how many tokens it took."""

from collections.abc import Mapping
from dataclasses import dataclass

from chatapp.timeline.metadata import Metadata

CHARS_PER_TOKEN = 4
"""A rule of thumb: each model counts tokens differently, and neither limits nor estimates need to be exact."""

TOKENS_PER_MESSAGE = 4
"""Tokens of a message besides those of its content."""

MAX_MODEL_CHARS = 200

MAX_TOKENS = 2**53
"""Numbers from here on are not exact in JavaScript. A model server may send anything."""


def estimate_tokens(text: str) -> int:
    """Return the estimated number of tokens of a message with this content."""
    return len(text) // CHARS_PER_TOKEN + TOKENS_PER_MESSAGE


@dataclass(slots=True)
class Usage:
    """What is known about the production of an answer. The provider adds to it while it answers."""

    provider: str = ""
    model: str = ""
    estimated_prompt_tokens: int = 0
    prompt_tokens: int | None = None
    """The number that the model server counted; None if it did not send one."""
    completion_tokens: int | None = None

    def update(self, model: object, counts: object) -> None:
        """Take the model and the counts that a model server has sent, as far as they are valid."""
        if isinstance(model, str) and model.isprintable() and 0 < len(model) <= MAX_MODEL_CHARS:
            self.model = model
        if isinstance(counts, Mapping):
            prompt, completion = counts.get("prompt_tokens"), counts.get("completion_tokens")
            if _is_count(prompt) and _is_count(completion):
                self.prompt_tokens, self.completion_tokens = prompt, completion

    def to_metadata(self, content: str) -> Metadata:
        """Return the metadata of an answer with this content. Counts that are not known are estimated."""
        is_estimated = self.prompt_tokens is None or self.completion_tokens is None
        return {
            "provider": self.provider,
            "model": self.model,
            "prompt_tokens": self.estimated_prompt_tokens if is_estimated else self.prompt_tokens,
            "completion_tokens": estimate_tokens(content) if is_estimated else self.completion_tokens,
            "is_estimated": is_estimated,
        }


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < MAX_TOKENS
