"""Encrypted files: round trips, and everything that must not be accepted."""

import io
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatapp.encryption.streams import (
    CHUNK_BYTES,
    HEADER_BYTES,
    MAGIC,
    TAG_BYTES,
    DecryptingReader,
    RandomAccessReader,
    Undecryptable,
    decrypt,
    encrypt,
    encrypting,
    is_encrypted,
    open_decrypted,
)

KEY = b"k" * 32
BLOCK_BYTES = CHUNK_BYTES + TAG_BYTES


@pytest.mark.parametrize("size", [0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 3 * CHUNK_BYTES, 200_001])
def test_what_was_encrypted_is_decrypted_whatever_its_size(size: int) -> None:
    content = os.urandom(size)
    assert decrypt(encrypt(content, KEY), KEY) == content


def test_content_can_be_written_and_read_in_parts_of_any_size() -> None:
    content, file = os.urandom(2 * CHUNK_BYTES + 7), io.BytesIO()
    with encrypting(file, KEY) as writer:
        for start in range(0, len(content), 1_001):
            writer.write(content[start : start + 1_001])
    reader = DecryptingReader(io.BytesIO(file.getvalue()), KEY)
    parts = []
    while part := reader.read(997):
        parts.append(part)
    assert b"".join(parts) == content


def test_the_same_content_is_encrypted_differently_each_time_and_does_not_show() -> None:
    content = b"a secret text " * 100
    first, second = encrypt(content, KEY), encrypt(content, KEY)
    assert first[HEADER_BYTES:] != second[HEADER_BYTES:]
    assert b"secret" not in first + second


def test_another_key_is_refused() -> None:
    with pytest.raises(Undecryptable, match="another key"):
        decrypt(encrypt(b"text", KEY), b"x" * 32)


@pytest.mark.parametrize("position", [0, len(MAGIC), HEADER_BYTES, HEADER_BYTES + 5, -1])
def test_a_changed_byte_is_detected(position: int) -> None:
    damaged = bytearray(encrypt(b"text of a message", KEY))
    damaged[position] ^= 1
    with pytest.raises(Undecryptable):
        decrypt(bytes(damaged), KEY)


def test_missing_moved_and_repeated_chunks_are_detected() -> None:
    content = encrypt(os.urandom(3 * CHUNK_BYTES), KEY)
    header, blocks = content[:HEADER_BYTES], content[HEADER_BYTES:]
    one, two, three = (blocks[start : start + BLOCK_BYTES] for start in range(0, len(blocks), BLOCK_BYTES))
    for changed in (
        [],
        [one],
        [one, two],
        [one, three],
        [two, one, three],
        [one, one, two, three],
        [one, two, three[:-1]],
    ):
        with pytest.raises(Undecryptable):
            decrypt(header + b"".join(changed), KEY)
    assert decrypt(header + one + two + three, KEY)


def test_a_file_that_was_not_finished_is_damaged(tmp_path: Path) -> None:
    path = tmp_path / "file"

    def write() -> None:
        with path.open("wb") as file, encrypting(file, KEY) as writer:
            writer.write(os.urandom(3 * CHUNK_BYTES))
            raise OSError("the disk is full")

    with pytest.raises(OSError, match="full"):
        write()
    with pytest.raises(Undecryptable), open_decrypted(path, KEY) as file:
        file.read()


def test_files_that_are_not_encrypted_are_read_too(tmp_path: Path) -> None:
    plain, sealed = tmp_path / "plain", tmp_path / "sealed"
    plain.write_bytes(b"text")
    sealed.write_bytes(encrypt(b"text", KEY))
    for path in (plain, sealed):
        with open_decrypted(path, KEY) as file:
            assert file.read() == b"text"
    assert [is_encrypted(plain), is_encrypted(sealed)] == [False, True]
    with pytest.raises(Undecryptable, match="set CHATAPP_DATABASE_KEY"), open_decrypted(sealed, None):
        pass


@given(st.integers(0, 3 * CHUNK_BYTES + 5), st.integers(0, 4 * CHUNK_BYTES), st.integers(0, 2 * CHUNK_BYTES))
def test_any_part_of_a_file_can_be_read(size: int, offset: int, length: int) -> None:
    content = os.urandom(size)
    reader = RandomAccessReader(io.BytesIO(encrypt(content, KEY)), KEY)
    assert reader.size == size
    assert reader.read(offset, length) == content[offset : offset + length]


def test_a_part_of_a_file_of_another_length_is_not_read() -> None:
    content = encrypt(os.urandom(3 * CHUNK_BYTES), KEY)
    for changed in (
        content[:HEADER_BYTES],
        content[:-1],
        content[:-BLOCK_BYTES],
        content[: -BLOCK_BYTES - 1],
        content + b"x",
        content + content[-BLOCK_BYTES:],
    ):
        with pytest.raises(Undecryptable):
            RandomAccessReader(io.BytesIO(changed), KEY)


def test_damage_is_detected_in_the_part_that_is_read() -> None:
    content = os.urandom(3 * CHUNK_BYTES)
    damaged = bytearray(encrypt(content, KEY))
    damaged[HEADER_BYTES + BLOCK_BYTES + 5] ^= 1
    reader = RandomAccessReader(io.BytesIO(damaged), KEY)
    assert reader.read(0, CHUNK_BYTES) == content[:CHUNK_BYTES]
    with pytest.raises(Undecryptable):
        reader.read(CHUNK_BYTES - 1, 2)
