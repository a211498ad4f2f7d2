"""Host names are resolved without stopping the event loop."""

from tests.harness.programs import run_program

PROGRAM = """
import eventlet
eventlet.monkey_patch()
import socket
from chatapp.concurrency.host_names import resolve_on_native_threads

threading = eventlet.patcher.original("threading")
may_end = threading.Event()

def resolve(host, *arguments, **options):
    assert may_end.wait(30), "the event loop has stopped"
    return [(socket.AF_INET, socket.SOCK_STREAM, 0, "", ("127.0.0.1", port))]

eventlet.patcher.original("socket").getaddrinfo = resolve
resolve_on_native_threads()
listener = eventlet.listen(("127.0.0.1", 0))
port = listener.getsockname()[1]
"""


def test_others_run_while_a_host_name_is_resolved() -> None:
    done = run_program(
        PROGRAM
        + """
eventlet.spawn_after(0, may_end.set)
connection = socket.create_connection(("chat.example", 80))
print(connection.getpeername() == listener.getsockname())
"""
    )
    assert done.stdout == "True\n", done.stderr


def test_native_threads_resolve_host_names_themselves() -> None:
    done = run_program(
        PROGRAM
        + """
may_end.set()
found = []
thread = threading.Thread(target=lambda: found.extend(socket.getaddrinfo("chat.example", 80)))
thread.start()
thread.join()
print(found[0][4] == listener.getsockname())
"""
    )
    assert done.stdout == "True\n", done.stderr
