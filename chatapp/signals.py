"""Typed signals. A signal is declared once, in the `signals.py` of its package; each application has its own receivers.

A signal carries one payload, a value and not a database row. mypy compares it with what receivers accept.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import structlog

log = structlog.get_logger(__name__)

T = TypeVar("T")

EXTENSION = "chatapp.signals"
"""Key of the application's `Signals` in `app.extensions`."""


@dataclass(frozen=True, eq=False)
class Signal(Generic[T]):
    """The declaration of a signal whose payload is a `T`. `Signals` sends it."""

    name: str


class Signals:
    """The receivers of one application's signals. They are called in the order in which they were connected."""

    def __init__(self) -> None:
        self._receivers: dict[Signal[Any], tuple[Callable[[Any], object], ...]] = {}

    def connect(self, signal: Signal[T], receiver: Callable[[T], object]) -> None:
        """Call `receiver` with the payload whenever `signal` is sent."""
        # Replaced, not changed: another thread may be sending the signal.
        self._receivers[signal] = (*self._receivers.get(signal, ()), receiver)

    def disconnect(self, signal: Signal[T], receiver: Callable[[T], object]) -> None:
        """Stop calling `receiver`."""
        self._receivers[signal] = tuple(each for each in self._receivers[signal] if each != receiver)

    def send(self, signal: Signal[T], payload: T) -> None:
        """Call all receivers. An exception of one is raised here, and those after it are not called."""
        for receiver in self._receivers.get(signal, ()):
            receiver(payload)

    def send_robust(self, signal: Signal[T], payload: T) -> None:
        """Call all receivers. An exception of one is logged and does not keep the others from being called."""
        for receiver in self._receivers.get(signal, ()):
            try:
                receiver(payload)
            except Exception:
                log.exception("signal receiver failed", signal=signal.name)
