"""Check-outs of other commits of this repository, for comparisons and upgrades."""

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.harness import ROOT


@contextmanager
def checkout(commit: str) -> Iterator[Path]:
    """Check a commit out into a folder with an environment of its own; remove both afterwards."""
    name = subprocess.run(
        ["git", "rev-parse", "--verify", f"{commit}^{{commit}}"], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout.strip()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "chatapp"
        subprocess.run(["git", "clone", "--quiet", "--shared", "--no-checkout", ROOT, root], check=True)
        subprocess.run(["git", "checkout", "--quiet", "--detach", name], cwd=root, check=True)
        subprocess.run([root / "bin" / "setup"], check=True, stdout=sys.stderr)
        yield root
