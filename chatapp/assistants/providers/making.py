"""Which provider an assistant answers with."""

from collections.abc import Iterator

from chatapp.assistants.providers import Provider, Question
from chatapp.conversations.assistants import Assistant


class _Echo:
    def answer(self, question: Question) -> Iterator[str]:
        import time

        for word in question.turns[-1].content.split():
            yield word + " "
            time.sleep(0.05)


def make_provider(_assistant: Assistant) -> Provider:
    """Make the provider that the assistant is configured with."""
    return _Echo()
