"""The queue of answers in the database: claiming, saving, ending and limiting answers."""

import uuid
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import select

from chatapp.accounts.service import ban, create_owner, create_user
from chatapp.actors import Actor
from chatapp.assistants import answer_queue, subscription
from chatapp.assistants.answer_queue import (
    INTERRUPTED_PROBLEM,
    Job,
    claim_jobs,
    finish_job,
    has_open_answers,
    interrupt_orphans,
    save_progress,
)
from chatapp.assistants.answer_requests import MAX_OPEN_ANSWERS, current_answer_requests, stop_answer
from chatapp.assistants.service import delete_session, start_session
from chatapp.assistants.signals import AnswerProgress, answer_progressed
from chatapp.conversations.refs import ConversationRef
from chatapp.errors import Conflict, RateLimited
from chatapp.extensions import db
from chatapp.models import Message
from chatapp.signals import EXTENSION as SIGNALS
from chatapp.signals import Signals
from chatapp.timeline import TimelineMessage, delete, post

ACTOR = Actor(1)


@pytest.fixture
def session(app: Flask) -> ConversationRef:
    create_owner("ana", "Ana", "a good password")
    return start()


def start() -> ConversationRef:
    return ConversationRef("assistant", start_session(ACTOR, "helper"))


def ask(session: ConversationRef, content: str = "Hello") -> int:
    """Ask a question and return the `seq` of its answer."""
    question = post(session, ACTOR, content=content, client_id=str(uuid.uuid4()))
    assert question.seq is not None
    return question.seq + 1


def claim(limit: int = 10, *, running: tuple[Job, ...] = ()) -> list[Job]:
    return list(claim_jobs(limit, running=[job.answer_id for job in running]))


def get_answer(session: ConversationRef, seq: int) -> tuple[str | None, str, str | None]:
    db.session.rollback()
    message = db.session.scalars(select(Message).where(Message.conversation_id == session.id, Message.seq == seq)).one()
    return message.state, message.content, message.problem


def test_a_claimed_answer_is_streaming_and_nobody_else_can_claim_it(session: ConversationRef) -> None:
    seq = ask(session)
    (job,) = claim()
    assert (job.conversation, job.seq, job.reply_to, job.assistant, job.is_private) == (
        session,
        seq,
        seq - 1,
        "helper",
        True,
    )
    assert get_answer(session, seq) == ("streaming", "", None)
    assert claim() == []


def test_the_stream_of_an_answer_ends_when_its_reader_is_banned(
    app: Flask, session: ConversationRef, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subscription, "POLL_SECONDS", 0.01)
    reader = create_user("bob", "Bob", "a good password", is_admin=False)
    question = post(session, ACTOR, content="Hello", client_id=str(uuid.uuid4()))
    updates = subscription.AnswerSubscription(app, Actor(reader), session).updates(question)
    assert next(updates) is None
    ban(None, "bob")
    assert list(updates) == []


def test_a_slow_reader_of_a_stream_gets_only_the_latest_progress(app: Flask, session: ConversationRef) -> None:
    question = post(session, ACTOR, content="Hello", client_id=str(uuid.uuid4()))
    seq = (question.seq or 0) + 1
    reader = subscription.AnswerSubscription(app, ACTOR, session)
    reader.open()
    signals: Signals = app.extensions[SIGNALS]
    for conversation in (session, start()):
        for number in range(100):
            signals.send(answer_progressed, AnswerProgress(conversation, seq, f"{number} of {conversation}"))
    updates = reader.updates(question)
    assert [next(updates), next(updates)] == [None, f"99 of {session}"]
    finish_job(claim()[0], state="complete", content="Hi")
    final = next(updates)
    assert isinstance(final, TimelineMessage)
    assert final.content == "Hi"
    reader.close()


def test_one_answer_is_claimed_in_each_conversation_in_the_order_of_the_questions(session: ConversationRef) -> None:
    other = start()
    seqs = [ask(session), ask(session), ask(other)]
    jobs = claim()
    assert [(job.conversation, job.seq) for job in jobs] == [(session, seqs[0]), (other, seqs[2])]
    finish_job(jobs[0], state="complete", content="Hi")
    assert [job.seq for job in claim()] == [seqs[1]]


def test_no_more_answers_are_claimed_than_the_limit(session: ConversationRef) -> None:
    for conversation in (session, start(), start()):
        ask(conversation)
    assert len(claim(2)) == 2
    assert len(claim(0)) == 0
    assert len(claim(2)) == 1


def test_a_finished_answer_is_final(session: ConversationRef) -> None:
    seq = ask(session)
    (job,) = claim()
    assert has_open_answers(db.session())
    finish_job(job, state="failed", content="Hi", problem="x" * 1_000)
    finish_job(job, state="complete", content="Something else")
    assert get_answer(session, seq) == ("failed", "Hi", "x" * 300)
    assert not has_open_answers(db.session())


def test_saved_progress_is_stored_and_extends_the_lease(
    session: ConversationRef, monkeypatch: pytest.MonkeyPatch
) -> None:
    seq = ask(session)
    monkeypatch.setattr(answer_queue, "LEASE_DURATION", timedelta(seconds=-1))
    (job,) = claim()
    monkeypatch.undo()
    assert save_progress([(job, "So far")]) == {job.answer_id}
    assert claim() == []
    assert get_answer(session, seq) == ("streaming", "So far", None)


def test_an_answer_whose_lease_has_expired_is_interrupted_unless_this_process_runs_it(
    session: ConversationRef, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = ask(session), ask(session)
    (job,) = claim()
    monkeypatch.setattr(answer_queue, "LEASE_DURATION", timedelta(seconds=-1))
    save_progress([(job, "So far")])
    assert claim(running=(job,)) == []
    assert [each.seq for each in claim()] == [second]
    assert get_answer(session, first) == ("interrupted", "So far", INTERRUPTED_PROBLEM)


def test_orphans_are_interrupted_and_queued_answers_are_not(session: ConversationRef) -> None:
    other = start()
    orphan, queued, running = ask(session), ask(session), ask(other)
    jobs = claim()
    interrupt_orphans(running={jobs[1].answer_id})
    states = [get_answer(session, orphan)[0], get_answer(session, queued)[0], get_answer(other, running)[0]]
    assert states == ["interrupted", "queued", "streaming"]


def test_a_stopped_answer_is_cancelled_when_its_progress_is_saved(session: ConversationRef) -> None:
    running, queued = ask(session), ask(session)
    (job,) = claim()
    assert stop_answer(session, ACTOR, running).answer_state == "streaming"
    assert stop_answer(session, ACTOR, queued).answer_state == "stopped"
    assert save_progress([(job, "So far")]) == set()
    finish_job(job, state="stopped", content="So far")
    assert claim() == []
    assert stop_answer(session, ACTOR, running).content == "So far"


def test_a_deleted_answer_is_cancelled_when_its_progress_is_saved(session: ConversationRef) -> None:
    seq = ask(session)
    (job,) = claim()
    delete(session, ACTOR, seq)
    assert save_progress([(job, "So far")]) == set()
    finish_job(job, state="complete", content="Too late")
    assert get_answer(session, seq)[1] == ""
    assert not has_open_answers(db.session())


def test_the_answers_of_a_deleted_session_are_gone(session: ConversationRef) -> None:
    ask(session)
    (job,) = claim()
    delete_session(ACTOR, session.id)
    assert save_progress([(job, "So far")]) == set()
    finish_job(job, state="complete", content="Too late")
    assert not has_open_answers(db.session())


def test_only_a_finished_answer_can_be_regenerated(session: ConversationRef) -> None:
    seq = ask(session)
    requests = current_answer_requests()
    with pytest.raises(Conflict):
        requests.regenerate(session, ACTOR, seq)
    (job,) = claim()
    finish_job(job, state="complete", content="Hi")
    again = requests.regenerate(session, ACTOR, seq)
    assert (again.answer_state, again.content, again.seq) == ("queued", "", seq)
    (second,) = claim()
    assert (second.seq, second.message_id) == (job.seq, job.message_id)
    assert second.answer_id != job.answer_id


def test_a_user_may_wait_for_a_limited_number_of_answers(session: ConversationRef) -> None:
    finished = ask(session)
    (job,) = claim()
    finish_job(job, state="complete", content="Hi")
    for _ in range(MAX_OPEN_ANSWERS):
        ask(session)
    refused = ask(session)
    state, _, problem = get_answer(session, refused)
    assert (state, problem) == (
        "failed",
        "You already have 10 unanswered questions. Wait for an answer, then ask again.",
    )
    with pytest.raises(RateLimited):
        current_answer_requests().regenerate(session, ACTOR, finished)
