"""The rules for usernames, display names and passwords, and tokens."""

import re

import pytest

from chatapp.accounts.service import check_display_name, check_password, check_username
from chatapp.errors import Invalid
from chatapp.passwords.attempts import compute_delay
from chatapp.tokens import hash_token, new_token


@pytest.mark.parametrize("name", ["a", "7", "ana", "ana.b-c_d", "a" * 32])
def test_usernames_have_letters_digits_and_some_marks_between_them(name: str) -> None:
    assert check_username(name) == name
    assert check_username(f"  {name.upper()}\n") == name


@pytest.mark.parametrize(
    "name",
    ["", " ", ".", "-a", "a-", "a b", "a@b", "ána", "a\0b", "а", "a" * 33, "a/b", "<b>", "all", "Everyone", "system"],
    ids=ascii,
)
def test_other_usernames_are_refused(name: str) -> None:
    with pytest.raises(Invalid):
        check_username(name)


def test_white_space_in_a_display_name_is_collapsed() -> None:
    assert check_display_name("  Ana \t de  Á \n") == "Ana de Á"
    assert check_display_name("x" * 64) == "x" * 64


@pytest.mark.parametrize("name", ["", " \n ", "a\0", "a\u202eb", "\u200b", "\ud800", "a" * 65], ids=ascii)
def test_an_empty_unprintable_or_long_display_name_is_refused(name: str) -> None:
    with pytest.raises(Invalid, match="1 to 64 printable characters"):
        check_display_name(name)


@pytest.mark.parametrize("password", ["  spaces count  ", "ten chars!", "correct horse " * 71, "пароль-пароль"])
def test_an_acceptable_password_is_unchanged(password: str) -> None:
    assert check_password(password) == password


@pytest.mark.parametrize(
    "password",
    ["", "123456789", "x" * 1001, "correct horse\0", "correct horse \ud800"],
    ids=lambda value: ascii(value)[:20],
)
def test_a_password_that_is_too_short_or_long_or_cannot_be_typed_is_refused(password: str) -> None:
    with pytest.raises(Invalid):
        check_password(password)


@pytest.mark.parametrize(
    "password",
    [
        "1234567890",
        "aaaaaaaaaa",
        "qwertyuiop",
        "password12",
        "P@ssw0rd123",
        "abcabcabcabc",
        "a" * 500,
        "iloveyou12",
        "lopeslopes",
    ],
)
def test_a_password_that_is_easy_to_guess_is_refused_with_the_reason(password: str) -> None:
    with pytest.raises(Invalid, match=r"^This password is too easy to guess\. \S.*\. Use several words"):
        check_password(password, "ana", "Ana Lopes")


@pytest.mark.parametrize(
    "password", ["correct horse battery", "another horse", "x8#kQ!p2zz", "Trübe Aussicht 7", "x8#kQ!p2zz" * 20]
)
def test_a_password_that_is_hard_to_guess_is_accepted(password: str) -> None:
    assert check_password(password, "ana", "Ana Lopes") == password


def test_the_delay_after_failed_sign_ins_doubles_up_to_its_maximum() -> None:
    assert [compute_delay(count, 10, 3_600) for count in (0, 9, 10, 11, 12, 16, 17, 10_000)] == [
        0,
        0,
        30,
        60,
        120,
        1_920,
        3_600,
        3_600,
    ]


def test_tokens_differ_and_fit_into_a_url() -> None:
    tokens = {new_token() for _ in range(100)}
    assert len(tokens) == 100
    assert all(re.fullmatch(r"[\w-]{43}", token) for token in tokens)


def test_the_hash_of_a_token_is_its_sha_256() -> None:
    assert hash_token("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
