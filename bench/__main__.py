"""`bin/bench NAME [--json] [--full] [--formatted] [--only PART] [--against COMMIT]`."""

import argparse
from functools import partial

from bench import (
    durable,
    fanout,
    history,
    hostile,
    idle,
    pages,
    rendering,
    scale,
    search,
    search_storm,
    slow_readers,
    start,
    streams,
    switching,
    upload,
)
from bench.attacks import ATTACKS
from bench.report import print_report

BENCHMARKS = {
    "durable": durable,
    "fanout": fanout,
    "history": history,
    "hostile": hostile,
    "idle": idle,
    "pages": pages,
    "rendering": rendering,
    "scale": scale,
    "search": search,
    "search_storm": search_storm,
    "slow_readers": slow_readers,
    "start": start,
    "streams": streams,
    "switching": switching,
    "upload": upload,
}
FULL = {"hostile": hostile.run_full, "search": search.run_full}
FORMATTED = {"durable": durable.run_formatted}
AGAINST = {"durable": durable.run, "fanout": fanout.run}
PARTS = {"hostile": tuple(ATTACKS), "pages": pages.PAGES, "search": search.DATABASES}
"""The parts of benchmarks that can be measured alone."""


def main() -> None:
    """Run the benchmark named on the command line."""
    parser = argparse.ArgumentParser(prog="bin/bench", description="Measure chatapp.")
    names = "\n".join(f"{name}: {(module.__doc__ or '').splitlines()[0]}" for name, module in BENCHMARKS.items())
    parser.add_argument("name", choices=BENCHMARKS, help=names)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--full", action="store_true", help=f"long form, of: {', '.join(FULL)}")
    parts = "; ".join(f"of {name}: {', '.join(parts)}" for name, parts in PARTS.items())
    parser.add_argument("--only", metavar="PART", help=parts)
    parser.add_argument("--formatted", action="store_true", help=f"messages with Markdown, of: {', '.join(FORMATTED)}")
    compared = ", ".join(AGAINST)
    parser.add_argument(
        "--against", metavar="COMMIT", help=f"compare with the server of another commit, of: {compared}"
    )
    options = parser.parse_args()
    if options.full and options.name not in FULL:
        parser.error(f"{options.name} has no long form")
    if options.formatted and options.name not in FORMATTED:
        parser.error(f"--formatted is an option of {', '.join(FORMATTED)}")
    if options.against and options.name not in AGAINST:
        parser.error(f"--against is an option of {compared}")
    if options.only and options.only not in PARTS.get(options.name, ()):
        parser.error(f"{options.name} has no part “{options.only}”. Parts: {parts}")
    run = FULL[options.name] if options.full else BENCHMARKS[options.name].run
    if options.formatted:
        run = FORMATTED[options.name]
    if options.against:
        run = partial(AGAINST[options.name], options.against)
    if options.only:
        run = partial(run, only=options.only)
    print_report(options.name, run(), as_json=options.json)


main()
