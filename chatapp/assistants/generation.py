"""Produce answers: send a question with its context to the assistant's provider, and collect what it returns."""

import time
from collections.abc import Callable, Mapping

import structlog
from flask import Flask

from chatapp.actors import Actor
from chatapp.assistants.attaching import attach_image
from chatapp.assistants.context import build_turns
from chatapp.assistants.images import IMAGE_TOKENS, read_images
from chatapp.assistants.message_search import MessageSearch
from chatapp.assistants.providers import GeneratedImage, Provider, ProviderFailed, Question
from chatapp.assistants.providers.factory import make_provider
from chatapp.assistants.running import RunningAnswer
from chatapp.assistants.usage import Usage, estimate_tokens
from chatapp.config.assistants import Assistant, OpenAIConfig
from chatapp.errors import Busy, TooComplex
from chatapp.extensions import db

log = structlog.get_logger(__name__)

BUFFERED_SECONDS = 0.001
"""A piece of text that arrives within this time was already buffered."""

SERVER_PROBLEM = "Something went wrong on the server. Try again."


class AnswerGenerator:
    """Runs the providers of the assistants."""

    def __init__(self, app: Flask, assistants: Mapping[str, Assistant]) -> None:
        self._app = app
        self._assistants = assistants
        # All at the start: the first question to a model server would hold up everybody while a library is imported.
        self._providers = {name: make_provider(assistant) for name, assistant in assistants.items()}

    def generate(self, answer: RunningAnswer, get_pause: Callable[[], float]) -> None:
        """Append the provider's text and images to the answer until either is over. Any failure ends the answer.

        After each piece of text that was not buffered yet, wait for `get_pause()` seconds: then more text is read at
        once.
        """
        try:
            provider, question = self._prepare(answer)
            asked_at = time.monotonic()
            for piece in provider.answer(question):
                if isinstance(piece, GeneratedImage):
                    with self._app.app_context():
                        attach_image(answer, piece.url)
                    # A server may send many that are refused at once. Other green threads run in between.
                    time.sleep(0)
                else:
                    answer.append(piece)
                if time.monotonic() - asked_at > BUFFERED_SECONDS:
                    answer.is_over.wait(get_pause())
                if answer.is_over.is_set():
                    return
                asked_at = time.monotonic()
            answer.end("complete")
        except ProviderFailed as failure:
            answer.end("failed", str(failure))
        except (Busy, TooComplex) as error:
            answer.end("failed", error.message)
        except Exception:
            log.exception("answer failed", answer=answer.job.answer_id, assistant=answer.job.assistant)
        finally:
            answer.end("failed", SERVER_PROBLEM)

    def _prepare(self, answer: RunningAnswer) -> tuple[Provider, Question]:
        job = answer.job
        assistant = self._assistants.get(job.assistant)
        if assistant is None:
            raise ProviderFailed("This assistant is no longer available.")
        provider = assistant.provider
        with self._app.app_context():
            turns = build_turns(db.session(), job, assistant)
            has_vision = isinstance(provider, OpenAIConfig) and provider.vision
            image_urls = read_images(turns) if has_vision else {}
        text_tokens = sum(estimate_tokens(turn.content) for turn in turns)
        answer.usage = usage = Usage(
            provider=provider.kind,
            model=provider.model if isinstance(provider, OpenAIConfig) else provider.kind,
            estimated_prompt_tokens=text_tokens + IMAGE_TOKENS * len(image_urls),
        )
        search = MessageSearch(
            self._app,
            Actor(job.asker.id),
            job.conversation,
            job.reply_to,
            is_private=job.is_private,
            assistant=assistant.title,
        )
        question = Question(turns, job.asker, search, answer.interruption, usage, image_urls)
        return self._providers[job.assistant], question
