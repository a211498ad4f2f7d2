"""The attacks of `bin/bench hostile`, by name."""

from collections.abc import Mapping

from bench.attacks import http, search, sockets, work
from bench.attacks.attack import Attack

FUZZ = "fuzzed packets"

ATTACKS: Mapping[str, Attack] = {
    **sockets.ATTACKS,
    FUZZ: sockets.Fuzz(),
    **http.ATTACKS,
    **work.ATTACKS,
}

SEARCH = "search"

WORKLOADS: Mapping[str, Attack] = {**ATTACKS, SEARCH: search.Typing()}
"""The attacks, and what people do in other benchmarks."""
