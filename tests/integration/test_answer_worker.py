"""The worker that runs answers: a failure of one answer does not block the conversation's next question."""

import base64
import time
import uuid
from collections.abc import Collection, Iterator, Sequence
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from chatapp.accounts.service import create_owner
from chatapp.actors import Actor
from chatapp.assistants import answer_queue, generation, saving, worker
from chatapp.assistants.answer_queue import Job, claim_jobs, finish_job
from chatapp.assistants.answer_requests import current_answer_requests, stop_answer
from chatapp.assistants.attaching import attach_image
from chatapp.assistants.providers import GeneratedImage, ProviderFailed, Question
from chatapp.assistants.running import RunningAnswer
from chatapp.assistants.service import start_session
from chatapp.assistants.signals import AnswerProgress, answer_progressed
from chatapp.assistants.worker import AnswerWorker
from chatapp.concurrency.supervision import Supervisor
from chatapp.config import EXTENSION as SETTINGS
from chatapp.config import current_settings
from chatapp.conversations.people import Person
from chatapp.conversations.refs import ConversationRef
from chatapp.errors import Internal, QuotaExceeded, Unavailable
from chatapp.extensions import db
from chatapp.files.rows import fetch_files
from chatapp.files.uploads import MB, create_upload
from chatapp.models import Attachment, Message
from chatapp.signals import EXTENSION as SIGNALS
from chatapp.signals import Signals
from chatapp.timeline import post
from tests.harness.media import draw, encode
from tests.harness.waiting import eventually

ACTOR = Actor(1)

JOB = Job(1, 2, ConversationRef("assistant", 3), True, 2, 1, "helper", Person(ACTOR.user_id, "ana", "Ana"))


class ScriptedProvider:
    """A provider whose behaviour the question selects."""

    def answer(self, question: Question) -> Iterator[str | GeneratedImage]:
        content = question.turns[-1].content
        if content.startswith("draw "):
            _, count, url = content.split(" ", 2)
            yield "Here: "
            for _ in range(int(count)):
                yield GeneratedImage(url)
            yield "done."
            return
        if content == "fail":
            raise ProviderFailed("The model is busy.")
        if content == "crash":
            raise ZeroDivisionError
        if content == "garbage":
            yield "half a \ud83d surrogate and \0"
            return
        if content == "talk":
            for number in range(1_000):
                yield f"{number} "
                time.sleep(0.05)
        yield f"You asked: {content}"


@pytest.fixture
def database_url() -> str:
    """SQLite alone: nothing here depends on the database."""
    return ""


@pytest.fixture
def answer_worker(app: Flask, monkeypatch: pytest.MonkeyPatch) -> Iterator[AnswerWorker]:
    monkeypatch.setattr(generation, "make_provider", lambda _assistant: ScriptedProvider())
    monkeypatch.setattr(saving, "RETRY_SECONDS", 0.01)
    answer_worker = AnswerWorker(app, current_settings(), Supervisor())
    answer_worker.start()
    yield answer_worker
    answer_worker.stop(5)


@pytest.fixture
def session(answer_worker: AnswerWorker) -> ConversationRef:
    """A session with the assistant whose answers `answer_worker` runs."""
    create_owner("ana", "Ana", "a good password")
    return ConversationRef("assistant", start_session(ACTOR, "helper"))


def ask(session: ConversationRef, content: str) -> None:
    post(session, ACTOR, content=content, client_id=str(uuid.uuid4()))


def list_answers(session: ConversationRef) -> list[tuple[str | None, str]]:
    db.session.rollback()
    rows = db.session.execute(
        select(Message.state, Message.content)
        .where(Message.conversation_id == session.id, Message.sender_type == "assistant")
        .order_by(Message.seq)
    )
    return [(state, content) for state, content in rows]


def wait_for_answers(session: ConversationRef, *expected: tuple[str, str]) -> None:
    eventually(lambda: list_answers(session) == list(expected), f"the answers are {expected}")


SECOND = ("complete", "You asked: second")


def test_a_receiver_that_raises_does_not_block_the_next_answer(app: Flask, session: ConversationRef) -> None:
    def fail(_progress: AnswerProgress) -> None:
        raise RuntimeError("a receiver failed")

    signals: Signals = app.extensions[SIGNALS]
    signals.connect(answer_progressed, fail)
    ask(session, "first")
    ask(session, "second")
    wait_for_answers(session, ("complete", "You asked: first"), SECOND)


@pytest.mark.parametrize("question", ["fail", "crash"])
def test_a_provider_that_fails_does_not_block_the_next_answer(session: ConversationRef, question: str) -> None:
    ask(session, question)
    ask(session, "second")
    wait_for_answers(session, ("failed", ""), SECOND)


PNG = "data:image/png;base64," + base64.b64encode(encode(draw(8, 8), "PNG")).decode()


@pytest.mark.parametrize(
    ("count", "url", "files", "problem"),
    [
        (1, PNG, 1, None),
        (11, PNG, 10, "An image is missing. A message can have at most 10 files."),
        (1, "https://example.com/image.png", 0, "An image is missing. The model sent a link instead of a picture."),
        (1, PNG[:-2], 0, "An image is missing. The model sent a damaged picture."),
        (1, "data:image/png;base64,PHN2Zz4=", 0, "An image is missing. The model sent a file that is no picture"),
    ],
)
def test_an_image_that_cannot_be_attached_is_named_in_the_answer_which_keeps_its_text(
    session: ConversationRef, count: int, url: str, files: int, problem: str | None
) -> None:
    ask(session, f"draw {count} {url}")
    wait_for_answers(session, ("complete", "Here: done."))
    (answer,) = db.session.scalars(select(Message).where(Message.sender_type == "assistant"))
    assert (answer.problem or "").startswith(problem or "")
    assert bool(answer.problem) == bool(problem)
    assert [file.kind for file in fetch_files(db.session(), [answer.id]).get(answer.id, ())] == ["image"] * files
    eventually(lambda: not [*current_settings().uploads_path.glob("*")], "the uploads are deleted")


@pytest.mark.usefixtures("app")
def test_images_beyond_the_limit_are_refused_once_though_none_is_stored(caplog: pytest.LogCaptureFixture) -> None:
    answer = RunningAnswer(JOB)
    for _ in range(1_000):
        attach_image(answer, "https://example.com/image.png")
    assert len([record for record in caplog.records if record.name == attach_image.__module__]) == 11
    assert answer.notice == "An image is missing. A message can have at most 10 files."


def test_an_image_does_not_count_in_the_quota_of_the_asker(app: Flask, session: ConversationRef) -> None:
    app.extensions[SETTINGS] = current_settings().model_copy(update={"person_files_mb": 1})
    create_upload(ACTOR.user_id, "data.bin", MB)
    with pytest.raises(QuotaExceeded):
        create_upload(ACTOR.user_id, "data.bin", 1)
    ask(session, f"draw 1 {PNG}")
    wait_for_answers(session, ("complete", "Here: done."))
    assert db.session.scalars(select(Attachment.user_id)).all() == [None]


def test_an_image_that_is_stored_after_the_answer_is_over_is_not_attached(app: Flask) -> None:
    create_owner("ana", "Ana", "a good password")
    answer = RunningAnswer(JOB)
    answer.end("stopped")
    attach_image(answer, PNG)
    assert answer.files == ()
    assert not [*current_settings().uploads_path.glob("*")]


def test_text_that_cannot_be_stored_does_not_block_the_next_answer(session: ConversationRef) -> None:
    ask(session, "garbage")
    ask(session, "second")
    wait_for_answers(
        session, ("complete", "half a \N{REPLACEMENT CHARACTER} surrogate and \N{REPLACEMENT CHARACTER}"), SECOND
    )


def test_an_answer_that_cannot_be_published_fails_and_does_not_block_the_next_one(
    session: ConversationRef, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish = AnswerWorker._publish_until_over

    def fail_once(answer_worker: AnswerWorker, answer: RunningAnswer) -> None:
        monkeypatch.setattr(AnswerWorker, "_publish_until_over", publish)
        raise RuntimeError

    monkeypatch.setattr(AnswerWorker, "_publish_until_over", fail_once)
    ask(session, "talk")
    ask(session, "second")
    eventually(
        lambda: [state for state, _ in list_answers(session)] == ["failed", "complete"], "both answers have ended"
    )


@pytest.mark.parametrize("error", [ZeroDivisionError(), Internal("The batch failed.")])
def test_an_end_that_cannot_be_stored_is_a_failure(
    session: ConversationRef, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def finish(job: Job, **end: Any) -> None:
        if end["content"] == "You asked: first":
            raise error
        finish_job(job, **end)

    monkeypatch.setattr(saving, "finish_job", finish)
    ask(session, "first")
    ask(session, "second")
    wait_for_answers(session, ("failed", ""), SECOND)


def test_an_answer_that_cannot_be_ended_is_interrupted_when_its_lease_expires(
    session: ConversationRef, monkeypatch: pytest.MonkeyPatch
) -> None:
    def finish(job: Job, **end: Any) -> None:
        if job.seq == 2:
            raise ZeroDivisionError
        finish_job(job, **end)

    monkeypatch.setattr(saving, "finish_job", finish)
    monkeypatch.setattr(worker, "CLAIM_INTERVAL_SECONDS", 0.05)
    monkeypatch.setattr(answer_queue, "LEASE_DURATION", timedelta(seconds=0.2))
    ask(session, "first")
    ask(session, "second")
    wait_for_answers(session, ("interrupted", ""), SECOND)


def test_an_end_is_stored_when_the_database_is_available_again(
    session: ConversationRef, monkeypatch: pytest.MonkeyPatch
) -> None:
    attempts: list[str] = []

    def finish(job: Job, **end: Any) -> None:
        attempts.append(end["content"])
        if len(attempts) <= 2 * saving.MAX_FINISH_ATTEMPTS:
            raise Unavailable("The database does not respond.")
        finish_job(job, **end)

    monkeypatch.setattr(saving, "finish_job", finish)
    ask(session, "second")
    wait_for_answers(session, SECOND)


def test_the_worker_continues_after_an_error_in_claiming(
    session: ConversationRef, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail_once(limit: int, *, running: Collection[int]) -> Sequence[Job]:
        monkeypatch.setattr(worker, "claim_jobs", claim_jobs)
        raise ZeroDivisionError

    monkeypatch.setattr(worker, "claim_jobs", fail_once)
    ask(session, "second")
    wait_for_answers(session, SECOND)


def test_an_answer_is_regenerated_while_the_worker_runs(app: Flask, session: ConversationRef) -> None:
    ask(session, "second")
    wait_for_answers(session, SECOND)
    with app.app_context():
        current_answer_requests().regenerate(session, ACTOR, 2)
    eventually(lambda: list_answers(session) == [SECOND], "the new answer is complete")


def test_a_worker_that_is_replaced_completes_running_answers_and_starts_no_others(
    session: ConversationRef, answer_worker: AnswerWorker
) -> None:
    other_session = ConversationRef("assistant", start_session(ACTOR, "helper"))
    ask(session, "talk")
    eventually(lambda: list_answers(session)[0][0] == "streaming", "the answer is streaming")
    answer_worker.stop_claiming()
    ask(other_session, "second")
    stop_answer(session, ACTOR, 2)
    eventually(lambda: not answer_worker.running, "the answer is over")
    assert [state for state, _ in (*list_answers(session), *list_answers(other_session))] == ["stopped", "queued"]


def test_stopping_the_worker_interrupts_running_answers(session: ConversationRef, answer_worker: AnswerWorker) -> None:
    ask(session, "talk")
    eventually(lambda: list_answers(session)[0][0] == "streaming", "the answer is streaming")
    answer_worker.stop()
    # On a busy machine it may take longer than `stop` waits.
    eventually(lambda: list_answers(session)[0][0] == "interrupted", "the answer is interrupted")
