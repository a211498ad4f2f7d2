"""Token buckets: rates, bursts and debts, with a clock that the test sets."""

import pytest

from chatapp.socket_engine import token_bucket
from chatapp.socket_engine.limits import BYTES_PER_EVENT, MAX_PAUSE_SECONDS
from chatapp.socket_engine.token_bucket import RateMeter, TokenBucket, TokenBuckets
from tests.harness.clock import Clock


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(token_bucket, "time", clock)
    return clock


@pytest.mark.usefixtures("clock")
def test_a_burst_passes_without_a_pause() -> None:
    bucket = TokenBucket(rate=10, burst=50)
    assert [bucket.consume(1) for _ in range(50)] == [0.0] * 50
    assert bucket.consume(1) == pytest.approx(0.1)
    assert bucket.consume(1) == pytest.approx(0.2)


def test_tokens_come_back_at_the_rate_up_to_the_burst(clock: Clock) -> None:
    bucket = TokenBucket(rate=10, burst=50)
    bucket.consume(50)
    assert not bucket.try_consume(1)
    clock.now += 0.1
    assert bucket.try_consume(1)
    assert not bucket.try_consume(1)
    assert not bucket.is_full
    clock.now += 3_600
    assert bucket.is_full
    assert bucket.try_consume(50)
    assert not bucket.try_consume(1)


def test_the_debt_is_never_more_than_the_burst(clock: Clock) -> None:
    bucket = TokenBucket(rate=10, burst=50)
    assert bucket.consume(1_000_000) == pytest.approx(5)
    clock.now += 5
    assert not bucket.try_consume(1)
    clock.now += 0.1
    assert bucket.try_consume(1)


@pytest.mark.usefixtures("clock")
def test_a_refused_attempt_takes_no_tokens() -> None:
    bucket = TokenBucket(rate=1, burst=2)
    assert not bucket.try_consume(3)
    assert bucket.try_consume(2)


@pytest.mark.usefixtures("clock")
def test_every_key_has_a_bucket_of_its_own() -> None:
    buckets = TokenBuckets(rate=1, burst=1)
    assert buckets["127.0.0.1"].try_consume(1)
    assert not buckets["127.0.0.1"].try_consume(1)
    assert buckets["127.0.0.2"].try_consume(1)


def test_full_buckets_are_discarded_and_others_are_kept(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(token_bucket, "MAX_IDLE_BUCKETS", 3)
    buckets = TokenBuckets(rate=1, burst=10)
    buckets["spent"].consume(10)
    for number in range(100):
        _ = buckets[number]
    assert len(buckets._buckets) <= 3
    assert not buckets["spent"].try_consume(1)
    clock.now += 1
    assert buckets["spent"].try_consume(1)


@pytest.mark.usefixtures("clock")
def test_buckets_are_not_searched_for_full_ones_at_each_new_key(monkeypatch: pytest.MonkeyPatch) -> None:
    examined: list[TokenBucket] = []

    def is_full(bucket: TokenBucket) -> bool:
        examined.append(bucket)
        return False

    monkeypatch.setattr(TokenBucket, "is_full", property(is_full))
    monkeypatch.setattr(token_bucket, "MAX_IDLE_BUCKETS", 10)
    buckets = TokenBuckets(rate=1, burst=10)
    for number in range(1_000):
        buckets[number].consume(10)
    assert len(examined) < 2 * 1_000


def test_buckets_are_discarded_after_many_were_in_use(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(token_bucket, "MAX_IDLE_BUCKETS", 3)
    buckets = TokenBuckets(rate=1, burst=10)
    for number in range(100):
        buckets[number].consume(10)
    clock.now += 10
    for number in range(1_000, 1_200):
        _ = buckets[number]
    assert len(buckets._buckets) <= 3


@pytest.mark.usefixtures("clock")
def test_the_pause_of_a_socket_is_that_of_its_strictest_bucket() -> None:
    meter = RateMeter(TokenBucket(rate=100, burst=1))
    assert meter.consume(10) == 0
    assert meter.consume(10) == pytest.approx(0.01)
    meter.add(TokenBucket(rate=1, burst=1))
    assert meter.consume(10) == pytest.approx(0.01), "the new bucket is full"
    assert meter.consume(10) == pytest.approx(1)
    assert meter.consume(10**9) <= MAX_PAUSE_SECONDS


@pytest.mark.usefixtures("clock")
def test_a_long_packet_counts_as_several_events() -> None:
    bucket = TokenBucket(rate=1, burst=10)
    assert RateMeter(bucket).consume(4 * BYTES_PER_EVENT) == 0
    assert bucket.try_consume(6)
    assert not bucket.try_consume(0.01)
