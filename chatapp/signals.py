"""Typed signals: a thin layer over blinker, so that mypy compares each payload with what receivers accept.

A signal carries one payload, a value and not a database row. Receivers are called in no particular order.
"""

from collections.abc import Callable
from typing import Generic, TypeVar

import blinker
import structlog

log = structlog.get_logger(__name__)

T = TypeVar("T")
R = TypeVar("R")


class Signal(Generic[T]):
    """A signal whose payload is a `T`."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._signal = blinker.Signal()

    def connect(self, receiver: Callable[[T], R], *, weak: bool = True) -> Callable[[T], R]:
        """Call `receiver` with the payload whenever the signal is sent. Return `receiver`: this is a decorator too.

        The reference is weak: a receiver that nothing else refers to is disconnected when it is garbage collected. A
        method lives as long as its object; pass `weak=False` for a lambda or a function defined inside another one.
        """
        return self._signal.connect(receiver, weak=weak)

    def disconnect(self, receiver: Callable[[T], object]) -> None:
        """Stop calling `receiver`."""
        self._signal.disconnect(receiver)

    def send(self, payload: T) -> None:
        """Call all receivers. An exception of one is raised here, and the others may not have been called."""
        self._signal.send(payload)

    def send_robust(self, payload: T) -> None:
        """Call all receivers. An exception of one is logged and does not keep the others from being called."""
        for receiver in self._signal.receivers_for(None):
            try:
                receiver(payload)
            except Exception:
                log.exception("signal receiver failed", signal=self.name)
