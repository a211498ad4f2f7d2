"""Runs an attack: `python -m bench.attacker` reads a `Plan` as JSON, prints a line when it begins, and an `Outcome`.

It is a process of its own with a low priority, so that it does not slow down the load on the same core.
"""

import json
import os
import sys
import threading
import time
from dataclasses import asdict

from bench.attacks import WORKLOADS
from bench.attacks.attack import Client, Outcome, Plan


def main() -> None:
    """Run an attack."""
    os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    plan = Plan(**json.loads(sys.stdin.readline()))
    print("ready", flush=True)
    attack, until = WORKLOADS[plan.attack], time.monotonic() + plan.seconds
    clients = [Client(plan, number, until) for number in range(plan.threads)]
    threads = [threading.Thread(target=attack.run, args=(client,), daemon=True) for client in clients]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(json.dumps(asdict(Outcome.sum([client.outcome for client in clients]))), flush=True)


if __name__ == "__main__":
    main()
