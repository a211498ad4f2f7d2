"""`bin/serve reload`: replace the workers, one after the other, and wait for the result."""

import os
import signal
import sys
import time

from chatapp.config import load_settings
from chatapp.serving.pid_file import find_parent

CHECK_SECONDS = 0.2


def main() -> None:
    """Ask the parent to replace its workers. Exits with status 1 if there is none, or if it has failed."""
    data_dir = load_settings().data_dir
    before = state = find_parent(data_dir)
    if before is None:
        sys.exit(
            f"No bin/serve --workers runs with the data folder {data_dir}. A single process cannot be reloaded: "
            "restart it."
        )
    os.kill(before.pid, signal.SIGHUP)
    while state is not None and state.reloads == before.reloads:
        time.sleep(CHECK_SECONDS)
        state = find_parent(data_dir)
    if state is None:
        sys.exit("chatapp was stopped meanwhile.")
    if state.has_failed:
        sys.exit("The workers were not replaced: see the log. Those that were not replaced yet continue as before.")
    sys.stdout.write("The workers were replaced.\n")


if __name__ == "__main__":
    main()
