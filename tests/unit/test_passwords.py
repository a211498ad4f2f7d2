"""Passwords, where there is an account and where there is none."""

import pytest
from argon2 import PasswordHasher, extract_parameters
from argon2.exceptions import VerifyMismatchError

from chatapp.accounts import passwords
from chatapp.accounts.passwords import hash_password, verify_password


def test_a_password_belongs_to_its_own_hash_alone() -> None:
    stored = hash_password("correct horse")
    assert verify_password(stored, "correct horse")
    assert not verify_password(stored, "wrong horse")
    assert not verify_password("no hash at all", "correct horse")


def test_where_there_is_no_account_as_much_is_computed_and_no_password_fits() -> None:
    nobody = passwords._NOBODY
    assert extract_parameters(nobody) == extract_parameters(hash_password("correct horse"))
    # It is compared to the end, and not refused as what it is not.
    with pytest.raises(VerifyMismatchError):
        PasswordHasher().verify(nobody, "correct horse")
    assert not verify_password(None, "correct horse")
