"""One of the sides that a benchmark compares."""

from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path

from bench.installation import UNLIMITED, Installation, installation
from bench.messages import Content, plain
from tests.harness import ROOT


@dataclass(frozen=True, slots=True)
class Side:
    """The code in a folder with settings, and what is sent to it."""

    root: Path = ROOT
    settings: dict[str, str] = field(default_factory=dict)
    content: Content = plain

    def installation(self) -> AbstractContextManager[Installation]:
        """Start the server with a new data folder and without rate limits."""
        return installation(self.root, **UNLIMITED, **self.settings)
