"""Rate limits of HTTP requests, with a clock that the test sets."""

from pathlib import Path

import pytest

from chatapp.config import Settings
from chatapp.http_server import rates
from chatapp.http_server.rates import (
    BURST_SECONDS,
    MAX_DELAY_SECONDS,
    SMALL_COST,
    TOO_MANY_REQUESTS,
    VISITORS_RATE_FACTOR,
    RequestRates,
)
from chatapp.socket_engine import tarpit, token_bucket
from chatapp.socket_engine.limits import REFUSAL_DELAY_SECONDS
from tests.harness.clock import Delays

RATE = 10
BURST = RATE * BURST_SECONDS
NETWORK = "192.0.2.1"


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Delays:
    clock = Delays()
    for module in (rates, tarpit, token_bucket):
        monkeypatch.setattr(module, "time", clock)
    return clock


def make_rates(tmp_path: Path, rate: int = RATE) -> RequestRates:
    return RequestRates(Settings(data_dir=tmp_path, requests_per_second=rate))


def test_a_person_who_requests_too_much_is_delayed_and_then_refused(tmp_path: Path, clock: Delays) -> None:
    limits = make_rates(tmp_path)

    def request() -> bool:
        return limits.admit("/", person=1, network=NETWORK) is None

    assert all(request() for _ in range(BURST))
    assert clock.delays == []
    delayed = round(RATE * MAX_DELAY_SECONDS)
    assert all(request() for _ in range(delayed))
    assert clock.delays == pytest.approx([n / RATE for n in range(1, delayed + 1)])
    assert not any(request() for _ in range(20))
    assert clock.delays[-1] == REFUSAL_DELAY_SECONDS
    clock.now += 1
    assert request(), "who stops for a moment is served again"


@pytest.mark.usefixtures("clock")
def test_people_and_networks_do_not_affect_one_another(tmp_path: Path) -> None:
    limits = make_rates(tmp_path)
    for _ in range(20 * BURST):
        limits.admit("/", person=1, network=NETWORK)
        limits.admit("/", person=None, network=NETWORK)
    assert limits.admit("/", person=1, network="192.0.2.2") is TOO_MANY_REQUESTS
    assert limits.admit("/", person=None, network=NETWORK) is TOO_MANY_REQUESTS
    assert limits.admit("/", person=2, network=NETWORK) is None
    assert limits.admit("/", person=None, network="192.0.2.2") is None


def test_visitors_of_a_network_share_a_higher_rate_and_small_requests_count_less(tmp_path: Path, clock: Delays) -> None:
    limits = make_rates(tmp_path)
    for _ in range(round(BURST * VISITORS_RATE_FACTOR / SMALL_COST)):
        assert limits.admit("/static/app.js", person=None, network=NETWORK) is None
    assert sum(clock.delays) == pytest.approx(0)
    limits.admit("/sign-in", person=None, network=NETWORK)
    assert clock.delays[-1] == pytest.approx(1 / (RATE * VISITORS_RATE_FACTOR))


def test_a_rate_of_zero_is_no_limit(tmp_path: Path, clock: Delays) -> None:
    limits = make_rates(tmp_path, rate=0)
    assert {limits.admit("/", person=1, network=NETWORK) for _ in range(1_000)} == {None}
    assert clock.delays == []
