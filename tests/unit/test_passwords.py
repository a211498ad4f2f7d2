"""Verifying passwords, for accounts that exist and for others."""

from collections.abc import Iterator

import pytest
from argon2 import PasswordHasher, extract_parameters
from argon2.exceptions import VerifyMismatchError
from flask import Flask

from chatapp.concurrency.native import EXTENSION, NativePools
from chatapp.passwords import hashes
from chatapp.passwords.attempts import make_attempt_key
from chatapp.passwords.hashes import hash_password, verify_password


@pytest.fixture(autouse=True)
def _app_context() -> Iterator[None]:
    app = Flask(__name__)
    app.extensions[EXTENSION] = NativePools.create(
        read_threads=1, search_threads=1, password_threads=1, file_threads=1, max_queued=1
    )
    with app.app_context():
        yield


def test_a_hash_verifies_its_own_password_only() -> None:
    stored = hash_password("correct horse")
    assert verify_password(stored, "correct horse")
    assert not verify_password(stored, "wrong horse")
    assert not verify_password("no hash at all", "correct horse")


def test_a_password_for_an_unknown_account_is_refused_after_the_same_computation() -> None:
    dummy = hashes._DUMMY_HASH
    assert extract_parameters(dummy) == extract_parameters(hash_password("correct horse"))
    # The library computes the whole hash, instead of refusing the dummy as malformed.
    with pytest.raises(VerifyMismatchError):
        PasswordHasher().verify(dummy, "correct horse")
    assert not verify_password(None, "correct horse")


@pytest.mark.parametrize("spelling", ["ANA", " ana\n", " " * 70 + "ana", "ana" + " " * 70])
def test_attempts_with_every_spelling_of_a_username_are_counted_together(spelling: str) -> None:
    assert make_attempt_key(spelling, None) == make_attempt_key("ana", None)
    assert make_attempt_key(spelling, None) != make_attempt_key("", None)
