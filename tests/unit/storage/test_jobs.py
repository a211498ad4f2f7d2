import threading

import pytest

from chatapp.errors import Busy
from chatapp.storage.jobs import Job, JobQueue
from chatapp.storage.transaction import Transaction


def change(_transaction: Transaction) -> None:
    """Do nothing."""


def fill(jobs: JobQueue, count: int) -> list[Job]:
    queued = [Job(change) for _ in range(count)]
    for job in queued:
        jobs.put(job)
    return queued


def test_a_batch_has_all_queued_jobs_in_their_order():
    jobs = JobQueue(max_queued=10, max_batch=10)
    queued = fill(jobs, 3)
    assert jobs.take_batch() == queued
    assert len(jobs) == 0


def test_a_batch_has_at_most_its_maximum_size():
    jobs = JobQueue(max_queued=10, max_batch=2)
    queued = fill(jobs, 5)
    assert [jobs.take_batch() for _ in range(3)] == [queued[:2], queued[2:4], queued[4:]]


def test_a_full_queue_is_busy():
    jobs = JobQueue(max_queued=2, max_batch=2)
    fill(jobs, 2)
    with pytest.raises(Busy):
        jobs.put(Job(change))


def test_waking_returns_a_batch_without_jobs():
    jobs = JobQueue(max_queued=2, max_batch=2)
    jobs.wake()
    assert jobs.take_batch() == []


def test_waking_a_full_queue_keeps_its_jobs():
    jobs = JobQueue(max_queued=2, max_batch=2)
    queued = fill(jobs, 2)
    jobs.wake()
    assert jobs.take_batch() == queued


def test_take_batch_waits_for_a_job():
    jobs = JobQueue(max_queued=2, max_batch=2)
    job = Job(change)
    timer = threading.Timer(0.05, jobs.put, [job])
    timer.start()
    assert jobs.take_batch() == [job]
    timer.join()


def test_a_submitter_waits_until_its_job_is_settled():
    job = Job(change)
    results: list[object] = []
    thread = threading.Thread(target=lambda: results.append(job.wait()))
    thread.start()
    thread.join(0.05)
    assert thread.is_alive()
    job.result = "stored"
    job.settle()
    thread.join()
    assert results == ["stored"]


def test_a_failed_job_raises_its_error():
    job = Job(change)
    job.fail(Busy("no"))
    with pytest.raises(Busy):
        job.wait()


def test_a_settled_job_cannot_fail():
    job = Job(change)
    job.result = "stored"
    job.settle()
    job.fail(Busy("no"))
    assert job.wait() == "stored"
