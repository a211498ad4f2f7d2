"""The options of `bin/serve` and `wsgi.py`."""

from argparse import SUPPRESS, ArgumentParser, Namespace
from collections.abc import Sequence


def parse_options(arguments: Sequence[str]) -> Namespace:
    """Return the options in the command line. Exits if they are wrong."""
    parser = ArgumentParser(
        prog="bin/serve", description="Serve chatapp. docs/settings.md lists the settings.", allow_abbrev=False
    )
    parser.add_argument(
        "--workers", type=int, metavar="N", help="processes that serve, on PostgreSQL and Redis (CHATAPP_WORKERS)"
    )
    parser.add_argument("--upgrade", action="store_true", help="first bring the database to the newest schema")
    # The parent passes these to its workers.
    parser.add_argument("--link", help=SUPPRESS)
    parser.add_argument("--first", action="store_true", help=SUPPRESS)
    return parser.parse_args(arguments)
