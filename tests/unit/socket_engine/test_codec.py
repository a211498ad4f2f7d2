"""JSON of Socket.IO packets, and the log lines of packets that are none."""

import logging

import pytest

from chatapp.socket_engine.codec import dumps, loads
from chatapp.socket_engine.logs import shorten_client_errors


def test_what_orjson_refuses_is_left_to_the_standard_library() -> None:
    assert loads(r'"\ud800"') == "\ud800", "the handler rejects it with a reason"
    assert loads(dumps({"large": 2**70})) == {"large": 2**70}
    with pytest.raises(ValueError, match="Expecting value"):
        loads("x")


def test_an_error_that_a_client_caused_is_logged_without_a_traceback(caplog: pytest.LogCaptureFixture) -> None:
    shorten_client_errors()
    shorten_client_errors()
    logger = logging.getLogger("engineio.server")
    assert len(logger.filters) == 1
    for error in (ValueError("not a packet"), RuntimeError("a fault")):
        try:
            raise error
        except Exception:
            logger.exception("post request handler error")
    of_client, of_server = caplog.records
    assert (of_client.getMessage(), of_client.exc_info) == ("post request handler error: not a packet", None)
    assert of_client.levelname == "WARNING"
    assert of_server.exc_info is not None
