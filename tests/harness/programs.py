"""Short programs that need a process of their own, such as those that patch the standard library with eventlet."""

import subprocess
import sys

from tests.harness import ROOT
from tests.harness.waiting import scaled


def run_program(program: str) -> subprocess.CompletedProcess[str]:
    """Run Python code in a process of its own, and return its output."""
    command = [sys.executable, "-W", "ignore", "-c", program]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=scaled(60), check=False)
