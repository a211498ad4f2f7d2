"""Run a program for one request after the other: `python -m workers PROGRAM MEMORY_MB CPU_SECONDS`.

A request on standard input is a length (four bytes, big-endian) and JSON: the keyword arguments of the program's
function `run`. The response on standard output is a status (one byte), a length and the bytes that `run` returned.
"""

import errno
import json
import math
import os
import resource
import struct
import sys
import time
from importlib import import_module

DONE, OUT_OF_MEMORY, DISK_FULL, FAILED = b"d", b"m", b"s", b"f"
"""Statuses. The content of a failure is the name of the exception's class, which has none of the text."""

LENGTH = struct.Struct(">I")


def main() -> None:
    """Serve requests until standard input ends."""
    program, memory_mb, cpu_seconds = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
    os.nice(10)  # The server's own process goes first, also while this one imports.
    run = import_module(f"workers.{program}").run
    memory = memory_mb * 1024 * 1024
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    requests, responses = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # What a library prints is no response.
    while header := requests.read(LENGTH.size):
        arguments = json.loads(requests.read(*LENGTH.unpack(header)))
        # The server kills a worker that takes too long. This limit ends one that the server left behind.
        limit = math.ceil(time.process_time() + cpu_seconds)
        resource.setrlimit(resource.RLIMIT_CPU, (limit, resource.RLIM_INFINITY))
        try:
            status, content = DONE, bytes(run(**arguments))
        except MemoryError:
            status, content = OUT_OF_MEMORY, b""
        except Exception as error:
            is_full = isinstance(error, OSError) and error.errno in {errno.EDQUOT, errno.ENOSPC}
            status, content = DISK_FULL if is_full else FAILED, type(error).__name__.encode()
        responses.write(status + LENGTH.pack(len(content)) + content)
        responses.flush()


main()
