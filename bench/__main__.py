"""`bin/bench NAME [--json] [--full] [--only ATTACK] [--against COMMIT]`."""

import argparse
from functools import partial

from bench import durable, fanout, history, hostile, idle, rendering, slow_readers, streams
from bench.attacks import ATTACKS
from bench.report import print_report

BENCHMARKS = {
    "durable": durable,
    "fanout": fanout,
    "history": history,
    "hostile": hostile,
    "idle": idle,
    "rendering": rendering,
    "slow_readers": slow_readers,
    "streams": streams,
}
FULL = {"hostile": hostile.run_full}


def main() -> None:
    """Run the benchmark named on the command line."""
    parser = argparse.ArgumentParser(prog="bin/bench", description="Measure chatapp.")
    names = "\n".join(f"{name}: {(module.__doc__ or '').splitlines()[0]}" for name, module in BENCHMARKS.items())
    parser.add_argument("name", choices=BENCHMARKS, help=names)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--full", action="store_true", help=f"long form, of: {', '.join(FULL)}")
    parser.add_argument("--only", metavar="ATTACK", choices=ATTACKS, help=f"of hostile: {', '.join(ATTACKS)}")
    parser.add_argument("--against", metavar="COMMIT", help="of durable: compare with the server of another commit")
    options = parser.parse_args()
    if options.full and options.name not in FULL:
        parser.error(f"{options.name} has no long form")
    if options.against and options.name != "durable":
        parser.error("--against is an option of durable")
    if options.only and options.name != "hostile":
        parser.error("--only is an option of hostile")
    run = FULL[options.name] if options.full else BENCHMARKS[options.name].run
    if options.against:
        run = partial(durable.run, options.against)
    if options.only:
        run = partial(run, only=options.only)
    print_report(options.name, run(), as_json=options.json)


main()
