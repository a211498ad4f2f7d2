"""Encrypted files of any size: AES-256-GCM in chunks, the construction STREAM (https://eprint.iacr.org/2015/189).

The header is followed by chunks of `CHUNK_BYTES` and a tag. A file has its own key, derived with the salt in its
header. The nonce of a chunk is its number, and whether it is the last one. So chunks cannot be changed, moved or left
out, and a file that was truncated is detected.
"""

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, cast

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from chatapp.encryption.keys import derive_key

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer, WriteableBuffer

MAGIC = b"chatapp sealed 1"
"""First bytes of an encrypted file."""

SALT_BYTES = 16
HEADER_BYTES = len(MAGIC) + SALT_BYTES
CHUNK_BYTES = 65_536
TAG_BYTES = 16


class Undecryptable(ValueError):
    """The key is missing or wrong, or the data are damaged."""


def is_encrypted(path: Path) -> bool:
    """Return whether a file was written by `EncryptingWriter`."""
    with path.open("rb") as file:
        return file.read(len(MAGIC)) == MAGIC


class EncryptingWriter(io.RawIOBase):
    """Encrypts what is written to it, into another file. Without `finish`, that file counts as damaged."""

    def __init__(self, file: IO[bytes], key: bytes) -> None:
        salt = os.urandom(SALT_BYTES)
        self._file = file
        self._cipher = _FileCipher(key, salt)
        self._buffer = bytearray()
        self._count = 0
        file.write(MAGIC + salt)

    def writable(self) -> bool:
        """Return whether it can be written to."""
        return True

    def write(self, data: "ReadableBuffer", /) -> int:
        """Encrypt data. The last chunk is kept, since only `finish` knows that it is the last one."""
        content = memoryview(data).cast("B")
        self._buffer += content
        while len(self._buffer) > CHUNK_BYTES:
            self._file.write(self._cipher.encrypt(bytes(self._buffer[:CHUNK_BYTES]), self._count, is_last=False))
            self._count += 1
            del self._buffer[:CHUNK_BYTES]
        return len(content)

    def finish(self) -> None:
        """Write the last chunk."""
        self._file.write(self._cipher.encrypt(bytes(self._buffer), self._count, is_last=True))


class DecryptingReader(io.RawIOBase):
    """Decrypts a file. Reading raises `Undecryptable`; what was read before is authentic, but perhaps incomplete."""

    def __init__(self, file: IO[bytes], key: bytes) -> None:
        self._file = file
        self._cipher = _read_header(file, key)
        self._count = 0
        self._next_chunk = file.read(CHUNK_BYTES + TAG_BYTES)
        self._is_complete = False
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        """Return whether it can be read."""
        return True

    def readinto(self, buffer: "WriteableBuffer", /) -> int:
        """Read decrypted data; 0 at the end."""
        if not self._rest and not self._is_complete:
            chunk, self._next_chunk = self._next_chunk, self._file.read(CHUNK_BYTES + TAG_BYTES)
            self._is_complete = not self._next_chunk
            self._rest = memoryview(self._cipher.decrypt(chunk, self._count, is_last=self._is_complete))
            self._count += 1
        target = memoryview(buffer).cast("B")
        count = min(len(target), len(self._rest))
        target[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count


class RandomAccessReader:
    """Decrypts any part of a file. Creating it and reading raise `Undecryptable`."""

    def __init__(self, file: IO[bytes], key: bytes) -> None:
        self._file = file
        self._cipher = _read_header(file, key)
        encrypted = file.seek(0, io.SEEK_END) - HEADER_BYTES
        self._last = max(0, -(-encrypted // (CHUNK_BYTES + TAG_BYTES)) - 1)
        # Only the writer's last chunk can be decrypted as the last one. So the length is authentic too.
        self.size = self._last * CHUNK_BYTES + len(self._read_chunk(self._last))
        """The number of bytes before encryption."""

    def read(self, offset: int, length: int) -> bytes:
        """Return bytes from an offset; fewer at the end."""
        end = min(offset + length, self.size)
        if offset >= end:
            return b""
        first, last = offset // CHUNK_BYTES, (end - 1) // CHUNK_BYTES
        content = b"".join(self._read_chunk(number) for number in range(first, last + 1))
        return content[offset - first * CHUNK_BYTES : end - first * CHUNK_BYTES]

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _read_chunk(self, number: int) -> bytes:
        self._file.seek(HEADER_BYTES + number * (CHUNK_BYTES + TAG_BYTES))
        chunk = self._file.read(CHUNK_BYTES + TAG_BYTES)
        return self._cipher.decrypt(chunk, number, is_last=number == self._last)


@contextmanager
def encrypting(file: IO[bytes], key: bytes | None) -> Iterator[IO[bytes]]:
    """Encrypt what is written to a file, unless the key is None."""
    if key is None:
        yield file
        return
    writer = EncryptingWriter(file, key)
    yield cast("IO[bytes]", writer)
    writer.finish()


@contextmanager
def open_decrypted(path: Path, key: bytes | None) -> Iterator[IO[bytes]]:
    """Open a file for reading, which need not be encrypted. Opening and reading raise `Undecryptable`."""
    with path.open("rb") as file:
        if not is_encrypted(path):
            yield file
        elif key is None:
            raise Undecryptable("it is encrypted: set CHATAPP_DATABASE_KEY or CHATAPP_DATABASE_KEY_FILE")
        else:
            yield io.BufferedReader(DecryptingReader(file, key))


def encrypt(content: bytes, key: bytes) -> bytes:
    """Return the encrypted file of a small content."""
    file = io.BytesIO()
    with encrypting(file, key) as writer:
        writer.write(content)
    return file.getvalue()


def decrypt(content: bytes, key: bytes) -> bytes:
    """Return the content of an encrypted file. Raises `Undecryptable`."""
    return DecryptingReader(io.BytesIO(content), key).read()


class _FileCipher:
    """The chunks of one file, by their number."""

    def __init__(self, key: bytes, salt: bytes) -> None:
        self._cipher = AESGCM(derive_key(key, "chatapp file", salt))

    def encrypt(self, chunk: bytes, number: int, *, is_last: bool) -> bytes:
        return self._cipher.encrypt(_nonce(number, is_last=is_last), chunk, None)

    def decrypt(self, chunk: bytes, number: int, *, is_last: bool) -> bytes:
        try:
            return self._cipher.decrypt(_nonce(number, is_last=is_last), chunk, None)
        except InvalidTag:
            raise Undecryptable("it was encrypted with another key, or is damaged") from None


def _nonce(number: int, *, is_last: bool) -> bytes:
    return number.to_bytes(11, "big") + bytes([is_last])


def _read_header(file: IO[bytes], key: bytes) -> _FileCipher:
    header = file.read(HEADER_BYTES)
    if len(header) < HEADER_BYTES or not header.startswith(MAGIC):
        raise Undecryptable("it is not encrypted, or is damaged")
    return _FileCipher(key, header[len(MAGIC) :])
