"""Node, and the bundle of browser code that pages load."""

import shutil
import subprocess
from pathlib import Path

from tests.harness import ROOT
from tests.harness.launcher import locked


def find_node() -> str:
    """Return the path of Node: the system's, or the one that bin/setup installed."""
    node = shutil.which("node") or shutil.which("node", path=str(ROOT / ".venv-node" / "bin"))
    assert node, "Node is not installed: run bin/setup --dev"
    return node


def bundle_browser_code(common_folder: Path) -> None:
    """Bundle the browser code once for all workers. It may have changed since bin/setup did."""
    bundled = common_folder / "bundled"
    with locked(common_folder / "bundle.lock"):
        if not bundled.exists():
            subprocess.run([find_node(), "bin/bundle.mjs"], cwd=ROOT, check=True)
            bundled.touch()
