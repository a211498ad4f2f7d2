"""Parsing of WebSocket frames, in whatever pieces the bytes arrive."""

from collections.abc import Iterator

import pytest

from chatapp.socket_engine.frames import (
    BINARY,
    CLOSE,
    PING,
    PONG,
    TEXT,
    Closed,
    FrameReader,
    make_close,
    make_frame,
    make_pong,
    unmask,
)
from chatapp.socket_engine.limits import MAX_FRAGMENTS
from chatapp.socket_engine.packets import Malformed
from tests.harness.abuse import CONTINUATION, frame

MAX_BYTES = 70_000


class Stream:
    """A reader of bytes that arrive in pieces, with the pings and frame sizes that it has reported."""

    def __init__(self, data: bytes, piece: int = 2**30) -> None:
        self._pieces = iter([data[start : start + piece] for start in range(0, len(data), piece)])
        self.sizes: list[int] = []
        self.pongs: list[bytes] = []
        self._reader = FrameReader(MAX_BYTES, self._count, self.pongs.append)

    def _count(self, size: int) -> float:
        self.sizes.append(size)
        return 0.0

    def read(self) -> str:
        """Return the next message. Raises `StopIteration` at the end of the stream."""
        while (message := self._reader.read()) is None:
            self._reader.feed(next(self._pieces))
        return message

    def __iter__(self) -> Iterator[str]:
        while True:
            try:
                yield self.read()
            except StopIteration:
                return


@pytest.mark.parametrize("piece", [1, 2, 7, 1_000, 2**30])
def test_messages_are_read_whole_however_their_bytes_arrive(piece: int) -> None:
    texts = ["", "x", "é😀", "a" * 125, "b" * 126, "c" * 65_535, "d" * 65_536, "last"]
    stream = Stream(b"".join(map(frame, texts)), piece)
    assert list(stream) == texts
    assert stream.sizes == [len(text.encode()) for text in texts]


def test_fragments_are_joined_with_control_frames_between_them() -> None:
    stream = Stream(
        frame("4", fin=False)
        + frame(b"are you there?", opcode=PING)
        + frame("é".encode()[:1], opcode=CONTINUATION, fin=False)
        + frame(b"", opcode=PONG)
        + frame("é".encode()[1:], opcode=CONTINUATION)
    )
    assert stream.read() == "4é"
    assert stream.pongs == [b"are you there?"]


@pytest.mark.parametrize("end", range(1, 12))
def test_an_incomplete_message_is_not_returned(end: int) -> None:
    assert list(Stream(frame("whole") + frame("cut off")[:end])) == ["whole"]


def test_the_end_of_a_stream_is_reported() -> None:
    with pytest.raises(Closed):
        Stream(frame(b"", opcode=CLOSE)).read()


def test_nothing_is_read_during_a_pause_after_a_frame() -> None:
    pauses = iter([0.0, 0.5, 0.0])
    pongs: list[bytes] = []
    reader = FrameReader(MAX_BYTES, lambda _size: next(pauses), pongs.append)
    reader.feed(frame("one") + frame(b"a ping", opcode=PING) + frame("two"))
    assert reader.read() == "one"
    assert reader.read() is None
    assert (pongs, reader.pause) == ([b"a ping"], 0.5)
    reader.resume()
    assert reader.read() == "two"


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (frame("3", mask=None), "without a mask"),
        (frame(b"x", opcode=BINARY), "binary message"),
        (frame(b"x", opcode=3), "unknown type"),
        (frame("x", reserved=4), "unknown type"),
        (frame(b"x" * 126, opcode=PING), "control frame"),
        (frame(b"x", opcode=CLOSE, fin=False), "control frame"),
        (frame(b"x", opcode=CONTINUATION), "continuation"),
        (frame("42", fin=False) + frame("3"), "within a fragmented one"),
        (frame(b"\xff"), "not UTF-8"),
        (frame(b"", claimed=MAX_BYTES + 1), "more than 70,000 bytes"),
        (frame(b"", claimed=2**63), "more than 70,000 bytes"),
        (frame("4", fin=False) + frame(b"", opcode=CONTINUATION, claimed=MAX_BYTES), "more than 70,000 bytes"),
        (frame("4", fin=False) + frame(b"", opcode=CONTINUATION, fin=False) * MAX_FRAGMENTS, "too many fragments"),
    ],
)
def test_malformed_frames_are_refused_with_the_reason(data: bytes, reason: str) -> None:
    with pytest.raises(Malformed, match=reason):
        Stream(data).read()


def test_a_frame_that_is_too_long_is_refused_before_its_body_arrives() -> None:
    stream = Stream(frame(b"", claimed=2**40))
    with pytest.raises(Malformed):
        stream.read()
    assert stream.sizes == []


def test_a_mask_is_removed_from_any_length() -> None:
    mask = b"\x37\xfa\x21\x3d"
    for size in range(1, 20):
        data = bytes(range(size))
        assert unmask(data, mask) == bytes(byte ^ mask[n % 4] for n, byte in enumerate(data))
        assert unmask(unmask(data, mask), mask) == data


@pytest.mark.parametrize(
    ("text", "head"),
    [
        ("hello", b"\x81\x05"),
        ("x" * 200, b"\x81\x7e\x00\xc8"),
        ("x" * 70_000, b"\x81\x7f" + (70_000).to_bytes(8, "big")),
    ],
)
def test_server_frames_have_no_mask_and_the_shortest_length(text: str, head: bytes) -> None:
    assert make_frame(text) == head + text.encode()


def test_control_frames_of_the_server() -> None:
    assert make_pong(b"ab") == bytes((0x80 | PONG, 2)) + b"ab"
    assert make_close(1000) == bytes((0x80 | CLOSE, 2)) + b"\x03\xe8"
    assert make_frame("")[0] & 0x0F == TEXT
