import threading

import pytest
from structlog.testing import capture_logs

from chatapp.errors import Busy
from chatapp.storage.submissions import Submission, SubmissionQueue
from chatapp.storage.transaction import Transaction


def change(_transaction: Transaction) -> None:
    """Do nothing."""


def fill(submissions: SubmissionQueue, count: int) -> list[Submission]:
    queued = [Submission(change) for _ in range(count)]
    for submission in queued:
        submissions.put(submission)
    return queued


def test_a_batch_has_all_queued_jobs_in_their_order():
    submissions = SubmissionQueue(max_queued=10, max_batch=10)
    queued = fill(submissions, 3)
    assert submissions.take_batch() == queued
    assert len(submissions) == 0


def test_a_batch_has_at_most_its_maximum_size():
    submissions = SubmissionQueue(max_queued=10, max_batch=2)
    queued = fill(submissions, 5)
    assert [submissions.take_batch() for _ in range(3)] == [queued[:2], queued[2:4], queued[4:]]


def test_a_full_queue_is_busy():
    submissions = SubmissionQueue(max_queued=2, max_batch=2)
    fill(submissions, 2)
    with pytest.raises(Busy):
        submissions.put(Submission(change))


def test_waking_returns_a_batch_without_jobs():
    submissions = SubmissionQueue(max_queued=2, max_batch=2)
    submissions.wake()
    assert submissions.take_batch() == []


def test_waking_a_full_queue_keeps_its_jobs():
    submissions = SubmissionQueue(max_queued=2, max_batch=2)
    queued = fill(submissions, 2)
    submissions.wake()
    assert submissions.take_batch() == queued


def test_take_batch_waits_for_a_job():
    submissions = SubmissionQueue(max_queued=2, max_batch=2)
    submission = Submission(change)
    timer = threading.Timer(0.05, submissions.put, [submission])
    timer.start()
    assert submissions.take_batch() == [submission]
    timer.join()


def test_a_submitter_waits_until_its_job_is_settled():
    submission = Submission(change)
    results: list[object] = []
    thread = threading.Thread(target=lambda: results.append(submission.wait()))
    thread.start()
    thread.join(0.05)
    assert thread.is_alive()
    submission.result = "stored"
    submission.settle()
    thread.join()
    assert results == ["stored"]


def test_a_failed_job_raises_its_error():
    submission = Submission(change)
    submission.fail(Busy("no"))
    with pytest.raises(Busy):
        submission.wait()


def test_a_settled_job_cannot_fail():
    submission = Submission(change)
    submission.result = "stored"
    submission.settle()
    submission.fail(Busy("no"))
    assert submission.wait() == "stored"


def test_a_submission_that_nobody_waits_for_calls_back_once():
    settled: list[Submission] = []
    submission = Submission(change, settled.append)
    submission.result = "stored"
    submission.settle()
    submission.settle()
    assert [each.get() for each in settled] == ["stored"]


def test_a_submitter_that_fails_does_not_affect_the_others():
    def fail(_submission: Submission) -> None:
        raise ValueError("broken")

    with capture_logs() as logs:
        Submission(change, fail).settle()
    assert [line["event"] for line in logs] == ["submitter failed"]


def test_submissions_that_arrive_after_a_batch_was_taken_are_in_the_next_one():
    submissions = SubmissionQueue(max_queued=10, max_batch=10)
    assert [fill(submissions, 2) == submissions.take_batch() for _ in range(3)] == [True] * 3
