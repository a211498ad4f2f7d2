"""The program of worker processes that fetches pages, and what it finds in hostile ones."""

import json
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from chatapp.http_client import addresses
from workers import link_previews
from workers.page_metadata import MAX_ALT_CHARS, MAX_DESCRIPTION_CHARS, MAX_TITLE_CHARS, clean, parse_page

HTML = b"Content-Type: text/html; charset=utf-8\r\n"


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener


def fetch_from(
    listener: socket.socket,
    *parts: bytes,
    timeout: float = 10.0,
    waits: bool = False,
    drips: bytes = b"",
    picture_path: str = "",
) -> dict[str, Any]:
    """Fetch from a server that responds with these bytes, and then closes the connection unless it `waits`.

    `drips` are then sent one byte after the other, forever.
    """

    def serve() -> None:
        connection, _ = listener.accept()
        with connection:
            connection.recv(65_536)
            try:
                for part in parts:
                    connection.sendall(part)
                while drips:
                    connection.sendall(drips)
                    time.sleep(0.02)
                while waits and connection.recv(65_536):
                    pass
            except OSError:
                pass

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/a/page?x=1"
        found: dict[str, Any] = json.loads(
            link_previews.run(url, timeout, allow_private=True, own_hosts=(), picture_path=picture_path)
        )
        return found
    finally:
        thread.join()


def fetch(url: str, own_hosts: tuple[str, ...] = ()) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(link_previews.run(url, 10.0, allow_private=False, own_hosts=own_hosts))
    return found


def page(content: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\n" + HTML + b"\r\n" + content


def test_a_page_is_described_by_its_metadata(listener: socket.socket) -> None:
    content = b"""<!doctype html><title>Title</title>
    <meta property="og:title" content="A &amp; B"><meta name="description" content="Plain">
    <meta property="og:description" content=" Two\n lines "><meta property="og:site_name" content="Site">
    <meta property="og:image" content="../picture.png#x"><meta property="og:image:alt" content="A &quot;cat&quot;
.">"""
    port = listener.getsockname()[1]
    assert fetch_from(listener, page(content)) == {
        "page": {
            "title": "A & B",
            "description": "Two lines",
            "site": "Site",
            "picture": f"http://127.0.0.1:{port}/picture.png",
            "picture_alt": 'A "cat" .',
        }
    }


def test_only_the_head_of_a_page_is_read(listener: socket.socket) -> None:
    # The server goes on to wait: it would be a time-out.
    found = fetch_from(listener, page(b"<title>Short</title></he"), b"ad><body>", waits=True)
    assert found["page"]["title"] == "Short"


def test_a_page_that_never_ends_is_cut_off(listener: socket.socket) -> None:
    found = fetch_from(listener, page(b"<title>Long</title>"), *[b"x" * 65_536] * 40)
    assert found["page"]["title"] == "Long"


def test_a_server_that_sends_byte_by_byte_is_cut_off(listener: socket.socket) -> None:
    found = fetch_from(listener, b"HTTP/1.1 200 OK\r\n", drips=b"X", timeout=0.5)
    assert found == {"error": "no response within 0.5 seconds"}


def test_a_redirect_is_returned_and_not_followed(listener: socket.socket) -> None:
    port = listener.getsockname()[1]
    redirect = b"HTTP/1.1 302 Found\r\nLocation: /b#c\r\n\r\n"
    assert fetch_from(listener, redirect) == {"redirect": f"http://127.0.0.1:{port}/b"}


@pytest.mark.parametrize("location", [b"ftp://example.com/", b"file:///etc/passwd", b"javascript:1", b"", b"http://["])
def test_a_redirect_to_another_scheme_is_an_error(listener: socket.socket, location: bytes) -> None:
    found = fetch_from(listener, b"HTTP/1.1 302 Found\r\nLocation: " + location + b"\r\n\r\n")
    assert found == {"error": "the response redirects to no URL of HTTP"}


@pytest.mark.parametrize(
    ("head", "reason"),
    [
        (b"HTTP/1.1 404 Not Found\r\n" + HTML, "status 404"),
        (b"HTTP/1.1 200 OK\r\nContent-Type: image/png\r\n", "no page"),
        (b"HTTP/1.1 200 OK\r\n", "no page"),
        (b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n" + HTML, "compressed"),
        (b"nonsense\r\n", "not valid HTTP"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000 + b"\r\n", "not valid HTTP"),
    ],
)
def test_another_response_is_an_error(listener: socket.socket, head: bytes, reason: str) -> None:
    assert reason in fetch_from(listener, head + b"\r\n<title>x</title>")["error"]


@pytest.mark.parametrize(
    "url",
    [
        *("http://127.0.0.1/", "http://localhost/", "http://[::1]/", "http://10.0.0.1/", "http://169.254.169.254/"),
        *("http://[::ffff:10.0.0.1]/", "http://[64:ff9b::a00:1]/", "http://[2002:a00:1::]/", "http://[2001::1]/"),
        *("http://0x7f.1/", "http://2130706433/"),
    ],
)
def test_no_private_address_is_connected_to(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "create_connection", lambda *_: pytest.fail("it connects"))
    assert fetch(url) == {"error": "the host is this machine or in a private network"}


@pytest.mark.parametrize("url", ["http://example.com:8080/", "https://example.com:22/"])
def test_other_ports_are_refused(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_: pytest.fail("it resolves"))
    assert "is not allowed" in fetch(url)["error"]


def test_the_installation_itself_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_: pytest.fail("it resolves"))
    assert "itself" in fetch("https://chat.example.org/conversations/general", ("chat.example.org",))["error"]


def test_a_second_dns_response_has_no_effect(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = iter(["1.1.1.1", "127.0.0.1"])
    connected: list[object] = []

    def resolve(_host: str, port: int, **_options: object) -> list[tuple[object, ...]]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (next(answers), port))]

    def connect(address: object, _timeout: float) -> socket.socket:
        connected.append(address)
        raise ConnectionRefusedError

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    monkeypatch.setattr(socket, "create_connection", connect)
    monkeypatch.setattr(addresses, "is_own_address", lambda _address: False)
    assert "connection failed" in fetch("http://rebinding.example/")["error"]
    assert connected == [("1.1.1.1", 80)]


@pytest.mark.parametrize(
    ("content", "charset", "title"),
    [
        ("<title>Ä</title>".encode("latin-1"), "iso-8859-1", "Ä"),
        ('<meta charset="Shift_JIS"><title>日本</title>'.encode("shift_jis"), "", "日本"),
        ("\ufeff<title>Ä</title>".encode(), "iso-8859-1", "Ä"),
        ("<title>Ä</title>".encode(), "unicode_escape", "Ä"),
        ("<title>Ä</title>".encode(), "iso-8859-99", "Ä"),
    ],
)
def test_the_encoding_is_that_of_the_page(content: bytes, charset: str, title: str) -> None:
    assert parse_page(content, charset).title == title


@pytest.mark.parametrize(
    "content",
    [
        *(b"", b"\x00", b"<title", b"<meta", b"<meta property=og:title content", b"<![CDATA[", b"<!", b"<?x", b"&#"),
        *(b"<title>&#xffffffff;&#0;</title>", b"\xff\xfe\xfd", b"<" * 10_000, b"<svg><title>" * 1_000),
    ],
)
def test_a_malformed_page_is_parsed(content: bytes) -> None:
    assert len(parse_page(content).title) <= MAX_TITLE_CHARS


@pytest.mark.parametrize("declaration", [b"<![<", b"<![unknown]>"])
def test_a_page_keeps_what_precedes_a_malformed_declaration(declaration: bytes) -> None:
    assert parse_page(b"<title>Kept</title>" + declaration + b"<p>").title == "Kept"


def test_texts_have_neither_controls_nor_marks_of_direction_nor_more_characters_than_allowed() -> None:
    found = parse_page(
        "<title>a\u202eb\u0007c\u2066</title><meta name=description content='{}'>".format("x" * 10_000).encode()
    )
    assert found.title == "a b c"
    assert len(found.description) == MAX_DESCRIPTION_CHARS
    assert found.description.endswith("x…")
    assert clean("\u200b \u2028", 10) == ""


def test_the_first_of_several_values_counts_and_markup_stays_text() -> None:
    found = parse_page(
        b"<meta property=og:title content='&lt;b&gt;First'><meta property=og:title content=Second>"
        b"<meta property=og:image content='javascript:alert(1)'>"
    )
    assert found.title == "<b>First"
    assert link_previews._try_join("https://example.com/", found.picture) == ""


@pytest.mark.parametrize(
    ("head", "picture", "alt"),
    [
        ("og:image=a og:image:alt=A og:image=b og:image:alt=B", "a", "A"),
        ("og:image=a og:image=b og:image:alt=B og:image:secure_url=c", "a", ""),
        ("og:image:alt=A og:image=a", "a", "A"),
        ("og:image:secure_url=a og:image=b og:image:alt=A", "a", "A"),
        ("og:image=a twitter:image=b twitter:image:alt=B", "a", ""),
        ("twitter:image=b og:image:alt=A twitter:image:alt=B", "b", "B"),
        ("og:image:alt=A", "", ""),
        (f"og:image=a og:image:alt={'x' * 10_000}", "a", "x" * (MAX_ALT_CHARS - 1) + "…"),
    ],
)
def test_the_alternative_text_is_that_of_the_picture(head: str, picture: str, alt: str) -> None:
    values = (each.split("=") for each in head.split())
    found = parse_page("".join(f'<meta property="{name}" content="{value}">' for name, value in values).encode())
    assert (found.picture, found.picture_alt) == (picture, alt)


PNG_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: image/png\r\n"


def fetch_picture(listener: socket.socket, path: Path, *parts: bytes, **options: Any) -> dict[str, Any]:
    return fetch_from(listener, *parts, picture_path=str(path), **options)


def test_a_picture_is_written_to_a_file(listener: socket.socket, tmp_path: Path) -> None:
    path = tmp_path / "picture"
    found = fetch_picture(listener, path, PNG_HEAD + b"Content-Length: 4\r\n\r\n", b"\x89PNG")
    assert found == {"picture": {"size": 4}}
    assert path.read_bytes() == b"\x89PNG"


@pytest.mark.parametrize(
    ("head", "reason"),
    [
        (b"HTTP/1.1 404 Not Found\r\nContent-Type: image/png\r\n", "status 404"),
        (b"HTTP/1.1 200 OK\r\n" + HTML, "no picture"),
        (b"HTTP/1.1 200 OK\r\nContent-Type: image/svg+xml\r\n", "no picture"),
        (PNG_HEAD + b"Content-Encoding: br\r\n", "compressed"),
        (PNG_HEAD + b"Content-Length: 5000001\r\n", "more than 5 MB"),
    ],
)
def test_another_response_than_a_picture_is_an_error(
    listener: socket.socket, tmp_path: Path, head: bytes, reason: str
) -> None:
    path = tmp_path / "picture"
    assert reason in fetch_picture(listener, path, head + b"\r\nx")["error"]
    assert not path.exists()


def test_a_picture_that_never_ends_is_refused(listener: socket.socket, tmp_path: Path) -> None:
    path = tmp_path / "picture"
    found = fetch_picture(listener, path, PNG_HEAD + b"\r\n", *[b"x" * 65_536] * 100)
    assert found == {"error": "the picture has more than 5 MB"}
    assert not path.exists()


def test_a_picture_that_is_cut_off_is_not_kept(listener: socket.socket, tmp_path: Path) -> None:
    path = tmp_path / "picture"
    found = fetch_picture(listener, path, PNG_HEAD + b"Content-Length: 100\r\n\r\n", b"\x89PNG")
    assert found == {"error": "the response is not valid HTTP"}
    assert not path.exists()


def test_a_picture_that_arrives_byte_by_byte_is_cut_off(listener: socket.socket, tmp_path: Path) -> None:
    path = tmp_path / "picture"
    found = fetch_picture(listener, path, PNG_HEAD + b"\r\n", drips=b"X", timeout=0.5)
    assert found == {"error": "no response within 0.5 seconds"}
    assert not path.exists()


def test_a_redirect_of_a_picture_is_returned(listener: socket.socket, tmp_path: Path) -> None:
    redirect = b"HTTP/1.1 301 Moved\r\nLocation: https://cdn.example.com/a.png\r\n\r\n"
    found = fetch_picture(listener, tmp_path / "picture", redirect)
    assert found == {"redirect": "https://cdn.example.com/a.png"}
