"""The attacks of `bin/bench hostile`, by name."""

from collections.abc import Mapping

from bench.attacks import http, sockets, work
from bench.attacks.attack import Attack

FUZZ = "fuzzed packets"

ATTACKS: Mapping[str, Attack] = {
    **sockets.ATTACKS,
    FUZZ: sockets.Fuzz(),
    **http.ATTACKS,
    **work.ATTACKS,
}
