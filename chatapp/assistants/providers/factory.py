"""Which provider an assistant answers with."""

from chatapp.assistant_config import Assistant, OpenAIConfig
from chatapp.assistants.providers import Provider
from chatapp.assistants.providers.builtin import BuiltInProvider
from chatapp.assistants.providers.openai import OpenAIProvider


def make_provider(assistant: Assistant) -> Provider:
    """Make the provider that the assistant is configured with."""
    if isinstance(assistant.provider, OpenAIConfig):
        return OpenAIProvider(assistant.provider)
    return BuiltInProvider()
