"""When native threads get the interpreter sooner, with green threads in a process of their own."""

from tests.harness.programs import run_program

PROGRAM = """
import eventlet
eventlet.monkey_patch()
import sys
from chatapp.concurrency.cooperation import checkpoint, in_slices, is_slice_over
from chatapp.concurrency.native import NativePool

intervals = [sys.getswitchinterval()]

def record():
    intervals.append(sys.getswitchinterval())

pool = NativePool("reads", threads=1)
pool.run(record)
record()
with in_slices():
    record()
    while not is_slice_over():
        pass
    checkpoint()
    pool.run(record)
    record()
record()
print([round(interval, 4) for interval in intervals])
"""


def test_threads_get_the_interpreter_sooner_beside_slices_and_calls_of_pools_and_only_there() -> None:
    run = run_program(PROGRAM)
    normal, short = 0.005, 0.0005
    assert run.stdout.strip() == str([normal, short, normal, short, short, short, normal]), run.stderr
