import uuid

import pytest

from chatapp.errors import Invalid
from chatapp.timeline.client_ids import MAX_IDEMPOTENCY_KEY_CHARS, check_client_id, client_id_of

CANONICAL = "0e8a4ff2-3c1b-4a57-9d0e-5f2c8f0a1b2c"


def test_a_client_id_is_returned_in_its_canonical_form():
    for value in (CANONICAL, CANONICAL.upper(), CANONICAL.replace("-", ""), f"{{{CANONICAL}}}"):
        assert check_client_id(value) == CANONICAL


@pytest.mark.parametrize("value", [None, "", "x", 5, CANONICAL + "0", [CANONICAL], "\ud800", "\0"], ids=ascii)
def test_anything_else_than_a_uuid_is_invalid(value: object):
    with pytest.raises(Invalid):
        check_client_id(value)


def test_an_idempotency_key_that_is_a_uuid_is_the_client_id():
    assert client_id_of(CANONICAL) == client_id_of(f'"{CANONICAL.upper()}"') == CANONICAL


def test_any_other_idempotency_key_has_a_client_id_of_its_own():
    first, second = client_id_of("order 1"), client_id_of("order 2")
    assert uuid.UUID(first) != uuid.UUID(second)
    assert client_id_of('  "order 1" ') == first


@pytest.mark.parametrize("key", ["", '""', "  ", "x" * (MAX_IDEMPOTENCY_KEY_CHARS + 1)])
def test_an_empty_or_long_idempotency_key_is_invalid(key: str):
    with pytest.raises(Invalid):
        client_id_of(key)
