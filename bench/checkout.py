"""Another commit of this repository, to be measured beside the one at hand."""

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.harness import ROOT


@contextmanager
def checkout(commit: str) -> Iterator[Path]:
    """Give a folder with a commit's code and an environment of its own; both go afterwards."""
    name = subprocess.run(
        ["git", "rev-parse", "--verify", f"{commit}^{{commit}}"], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout.strip()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "chatapp"
        subprocess.run(["git", "clone", "--quiet", "--shared", "--no-checkout", ROOT, root], check=True)
        subprocess.run(["git", "checkout", "--quiet", "--detach", name], cwd=root, check=True)
        subprocess.run([root / "bin" / "setup"], check=True, stdout=sys.stderr)
        yield root
