"""Creation of an assistant's provider from its configuration."""

from chatapp.assistants.providers import Provider
from chatapp.assistants.providers.builtin import BuiltInProvider
from chatapp.assistants.providers.openai import OpenAIProvider
from chatapp.config.assistants import Assistant, OpenAIConfig


def make_provider(assistant: Assistant) -> Provider:
    """Return a provider for the assistant."""
    if isinstance(assistant.provider, OpenAIConfig):
        return OpenAIProvider(assistant.provider)
    return BuiltInProvider()
