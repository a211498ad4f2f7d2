"""What the process that decodes files has no access to."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]

PROGRAM = "from workers.media.isolation import isolate; import os; print(isolate(), os.readlink('/proc/self/ns/net'))"


def test_the_process_leaves_the_network_where_linux_permits_it():
    result = subprocess.run([sys.executable, "-c", PROGRAM], cwd=ROOT, capture_output=True, text=True, check=True)
    is_isolated, network = result.stdout.split()
    assert (is_isolated == "True") == (network != str(Path("/proc/self/ns/net").readlink()))
