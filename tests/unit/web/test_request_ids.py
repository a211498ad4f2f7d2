"""The id of a request: taken from the proxy if it is valid, otherwise new."""

import re

import pytest
from flask import Flask
from werkzeug.test import Client

from chatapp.operation import current_request_id
from chatapp.web.request_ids import init_request_ids


@pytest.fixture
def client() -> Client:
    app = Flask("chatapp")
    app.add_url_rule("/", view_func=current_request_id.get)
    init_request_ids(app)
    return Client(app)


@pytest.mark.parametrize(
    "given",
    ["6b1f0e", "0b9a0c57-8d6b-4c8e-9d1c-0d0f6d0d3c11", "Root=1-67891233-abcdef012345678912345678", "a" * 128],
)
def test_an_id_of_the_proxy_is_taken_over(client: Client, given: str) -> None:
    response = client.get("/", headers={"X-Request-ID": given})
    assert (response.text, response.headers["X-Request-ID"]) == (given, given)


def test_without_an_id_the_trace_id_of_the_proxy_is_taken_over(client: Client) -> None:
    trace_id = "4bf92f3577b34da6a3ce929d0e0e4736"
    headers = {"traceparent": f"00-{trace_id}-00f067aa0ba902b7-01"}
    assert client.get("/", headers=headers).headers["X-Request-ID"] == trace_id
    assert client.get("/", headers=headers | {"X-Request-ID": "a1"}).headers["X-Request-ID"] == "a1"
    assert client.get("/", headers={"traceparent": f"00-{trace_id}"}).headers["X-Request-ID"] != trace_id


@pytest.mark.parametrize("given", [None, "", "a b", "a'b", "a\tb", "é", "a=1 level=error", "a,b", "a" * 129])
def test_without_a_valid_id_a_request_gets_a_new_one(client: Client, given: str | None) -> None:
    headers = {} if given is None else {"X-Request-ID": given}
    responses = [client.get("/", headers=headers) for _ in range(2)]
    ids = [response.headers["X-Request-ID"] for response in responses]
    assert [response.text for response in responses] == ids
    assert ids[0] != ids[1]
    assert all(re.fullmatch("[0-9a-f]{16}", each) for each in ids)
