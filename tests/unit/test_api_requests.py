"""Parsing of API requests: numbers in URLs, and ids that make a message be stored once."""

from uuid import UUID

import pytest
from pydantic import ValidationError

from chatapp.api.schemas import (
    MAX_SEQ,
    ConversationsQuery,
    MessagesQuery,
    ReadMark,
    SessionsQuery,
    parse_number,
    resolve_client_id,
)
from chatapp.errors import Invalid

CLIENT_ID = "0e8a4ff2-3c1b-4a57-9d0e-5f2c8f0a1b2c"


@pytest.mark.parametrize("value", ["0", "7", "007", "255"])
def test_a_whole_number_up_to_the_maximum_is_parsed(value: str) -> None:
    assert parse_number(value, "x", 255) == int(value)


@pytest.mark.parametrize(
    "value", ["", "256", "-1", "+1", "1.0", "1e1", "1_0", " 1", "１", "١", "0x1", "9" * 5000, 5, None]
)
def test_anything_else_is_no_number(value: object) -> None:
    with pytest.raises(Invalid, match="x must be a whole number from 0 to 255"):
        parse_number(value, "x", 255)


def test_a_query_has_defaults_and_bounds() -> None:
    query = MessagesQuery.model_validate({"before": str(MAX_SEQ)})
    assert (query.before, query.after, query.limit) == (MAX_SEQ, None, 50)
    assert SessionsQuery.model_validate({}).limit == 20
    for invalid in ({"limit": "0"}, {"limit": "101"}, {"before": "-1"}, {"before": str(MAX_SEQ + 1)}, {"after": "x"}):
        with pytest.raises(ValidationError):
            MessagesQuery.model_validate(invalid)
    with pytest.raises(ValidationError):
        ConversationsQuery.model_validate({"after": str(2**31)})


@pytest.mark.parametrize(
    ("text", "parsed"),
    [
        ("2026-01-02T03:04:05Z", "2026-01-02T03:04:05+00:00"),
        ("2026-01-02t03:04:05.25z", "2026-01-02T03:04:05.250000+00:00"),
        ("2026-01-02T03:04:05+02:00", "2026-01-02T01:04:05+00:00"),
        ("0001-01-01T00:00:00+23:00", "0001-01-01T00:00:00+00:00"),
        ("9999-12-31T23:59:59-23:00", "9999-12-31T23:59:59+00:00"),
    ],
)
def test_a_time_is_converted_to_utc(text: str, parsed: str) -> None:
    query = MessagesQuery.model_validate({"since": text})
    assert query.since is not None
    assert query.since.isoformat() == parsed


@pytest.mark.parametrize(
    "text", ["", "yesterday", "1", "2026-01-02", "2026-01-02T03:04:05", "2026-01-02T03:04:05 02:00"]
)
def test_a_time_without_its_zone_is_refused(text: str) -> None:
    with pytest.raises(ValidationError, match="must be a time with its zone, such as 2026-01-02T03:04:05Z"):
        MessagesQuery.model_validate({"until": text})


def test_a_number_in_a_body_is_not_a_string() -> None:
    assert ReadMark.model_validate({"seq": 2}).seq == 2
    for invalid in ("2", True, 2.0, -1):
        with pytest.raises(ValidationError):
            ReadMark.model_validate({"seq": invalid})


def test_a_client_id_is_normalised() -> None:
    assert resolve_client_id(CLIENT_ID.upper(), None) == CLIENT_ID


def test_without_a_client_id_and_a_key_each_request_gets_an_id_of_its_own() -> None:
    assert UUID(resolve_client_id(None, None)) != UUID(resolve_client_id(None, None))


@pytest.mark.parametrize("key", ["order 66", "x" * 255, "Bestellung Ä"])
def test_the_same_idempotency_key_results_in_the_same_id(key: str) -> None:
    assert UUID(resolve_client_id(None, key)) == UUID(resolve_client_id(None, key))
    assert resolve_client_id(None, key) == resolve_client_id(None, f' "{key}" ')
    assert resolve_client_id(None, key) != resolve_client_id(None, "another")


def test_an_idempotency_key_that_is_a_uuid_is_the_client_id() -> None:
    assert resolve_client_id(None, CLIENT_ID) == resolve_client_id(None, f'"{CLIENT_ID}"') == CLIENT_ID
    assert resolve_client_id(CLIENT_ID, CLIENT_ID.upper()) == CLIENT_ID


@pytest.mark.parametrize("key", ["", " ", '""', "x" * 256])
def test_an_empty_or_long_idempotency_key_is_refused(key: str) -> None:
    with pytest.raises(Invalid, match="Idempotency-Key"):
        resolve_client_id(None, key)


@pytest.mark.parametrize("client_id", ["", "x", CLIENT_ID + "0", "\0"])
def test_a_client_id_that_is_no_uuid_is_refused(client_id: str) -> None:
    with pytest.raises(Invalid, match="client_id must be a UUID"):
        resolve_client_id(client_id, None)


def test_a_client_id_and_a_key_that_differ_are_refused() -> None:
    with pytest.raises(Invalid, match="differ"):
        resolve_client_id(CLIENT_ID, "another")
