import pytest

from chatapp.http_server import polling
from chatapp.http_server.polling import ITERATION_SECONDS, SERVED_AT_ONCE, ChatFirst

READ = 1


def ready(*fds: int) -> list[tuple[int, int]]:
    return [(fd, READ) for fd in fds]


def chat_first(*http: int) -> ChatFirst:
    chat_first = ChatFirst()
    for fd in http:
        chat_first.add(fd)
    return chat_first


def test_all_chat_sockets_are_served_and_some_http_connections():
    http, chat = range(100), range(100, 200)
    served = [fd for fd, _ in chat_first(*http).select(ready(*http, *chat))]
    assert set(chat) <= set(served)
    assert len(served) == len(chat) + SERVED_AT_ONCE


def test_http_connections_that_stay_ready_are_served_in_turn():
    http = range(100)
    selection = chat_first(*http)
    assert {fd for _ in range(2 * 100 // SERVED_AT_ONCE) for fd, _ in selection.select(ready(*http))} == set(http)


def test_a_connection_that_has_become_a_chat_socket_is_served_at_once():
    http = range(100)
    selection = chat_first(*http)
    selection.discard(42)
    assert all(42 in dict(selection.select(ready(*http))) for _ in range(100))
    assert len(selection.select(ready(*http))) == SERVED_AT_ONCE + 1


def test_few_connections_are_all_served():
    http = range(SERVED_AT_ONCE)
    assert chat_first(*http).select(ready(*http)) == ready(*http)


def test_fewer_connections_are_served_after_long_iterations_while_messages_are_stored():
    http = range(100)
    selection = chat_first(*http)
    for _ in range(10):
        selection.adapt(2 * ITERATION_SECONDS, is_quiet=False)
    assert len(selection.select(ready(*http))) == 1
    for _ in range(10):
        selection.adapt(ITERATION_SECONDS / 2, is_quiet=False)
    assert len(selection.select(ready(*http))) == SERVED_AT_ONCE


def test_long_iterations_delay_no_connection_while_no_messages_are_stored():
    http = range(100)
    selection = chat_first(*http)
    selection.adapt(2 * ITERATION_SECONDS, is_quiet=False)
    selection.adapt(2 * ITERATION_SECONDS, is_quiet=True)
    assert len(selection.select(ready(*http))) == SERVED_AT_ONCE


def test_a_commit_runs_before_one_http_connection_is_served(monkeypatch: pytest.MonkeyPatch):
    http = range(100)
    pauses: list[float] = []
    selection = chat_first(*http)
    assert len(selection.poll(lambda _: ready(*http), pauses.append, 1)) == SERVED_AT_ONCE
    monkeypatch.setattr(polling, "is_urgent", lambda: True)
    assert len(selection.poll(lambda _: ready(*http), pauses.append, 1)) == 1
    assert pauses == [polling.PAUSE_SECONDS]


def test_the_event_loop_does_not_pause_while_sockets_of_chat_are_ready(monkeypatch: pytest.MonkeyPatch):
    http = range(100)
    pauses: list[float] = []
    selection = chat_first(*http)
    monkeypatch.setattr(polling, "is_urgent", lambda: True)
    assert 200 in dict(selection.poll(lambda _: ready(*http, 200), pauses.append, 1))
    selection.poll(lambda _: [], pauses.append, 1)
    assert pauses == []
