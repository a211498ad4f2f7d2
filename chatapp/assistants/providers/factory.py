"""Which provider an assistant answers with."""

from chatapp.assistants.providers import Provider
from chatapp.assistants.providers.builtin import BuiltInProvider
from chatapp.assistants.providers.openai import OpenAIProvider
from chatapp.conversations.assistants import Assistant, OpenAICompatible


def make_provider(assistant: Assistant) -> Provider:
    """Make the provider that the assistant is configured with."""
    if isinstance(assistant.provider, OpenAICompatible):
        return OpenAIProvider(assistant.provider)
    return BuiltInProvider()
