"""`bin/bench NAME [--json]`."""

import argparse

from bench import durable, fanout, history, streams
from bench.report import print_report

BENCHMARKS = {"durable": durable, "fanout": fanout, "history": history, "streams": streams}


def main() -> None:
    """Run the measurement that was asked for."""
    parser = argparse.ArgumentParser(prog="bin/bench", description="Measure chatapp.")
    names = "\n".join(f"{name}: {(module.__doc__ or '').splitlines()[0]}" for name, module in BENCHMARKS.items())
    parser.add_argument("name", choices=BENCHMARKS, help=names)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args()
    print_report(options.name, BENCHMARKS[options.name].run(), as_json=options.json)


main()
