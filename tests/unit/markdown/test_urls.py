"""The links of a text that get previews."""

import pytest

from chatapp.markdown.urls import MAX_URL_CHARS, find_urls, normalize_url


@pytest.mark.parametrize(
    ("text", "urls"),
    [
        ("no link", []),
        ("see https://a.com/x?y=1&z=2.", ["https://a.com/x?y=1&z=2"]),
        ("(https://a.com/x)", ["https://a.com/x"]),
        ("[this](https://b.com/q) and **https://c.com**", ["https://b.com/q", "https://c.com"]),
        ("[https://a.com](https://b.com)", ["https://b.com"]),
        ("> - http://a.com", ["http://a.com"]),
        ("https://a.com https://a.com https://b.com", ["https://a.com", "https://b.com"]),
        ("https://ä.com/ö", ["https://ä.com/ö"]),
        (
            "1 https://a.com 2 https://b.com 3 https://c.com 4 https://d.com",
            ["https://a.com", "https://b.com", "https://c.com"],
        ),
        ("<https://a.com> https://b.com", ["https://b.com"]),
        ("`https://a.com`", []),
        ("```\nhttps://a.com\n```", []),
        ("||https://a.com|| https://b.com", ["https://b.com"]),
        ("||[x](https://a.com)||", []),
        ("HTTPS://a.com/X", ["https://a.com/X"]),
        ("www.a.com mailto:x@a.com ftp://a.com javascript://a.com", []),
        ("https://user:password@a.com http://[::1 https://", []),
        ("[room](/conversations/room_1) x://y", []),
        ("https://a.com/" + "x" * MAX_URL_CHARS, []),
        ("https://a.com/" + ")" * 60, []),
    ],
)
def test_the_first_links_of_a_text_get_previews(text: str, urls: list[str]) -> None:
    assert find_urls(text, 3) == urls


@pytest.mark.parametrize("host", ["ä.com", "Ä.com", "Ä.COM"])
def test_requests_are_sent_to_urls_in_ascii(host: str) -> None:
    assert normalize_url(f"https://{host}/Ö?q=Ü") == "https://xn--4ca.com/%C3%96?q=%C3%9C"


def test_only_the_host_is_lowered() -> None:
    assert normalize_url("HTTPS://Ana:Ä@Ö.com:8000?Ü") == "https://Ana:%C3%84@xn--nda.com:8000?%C3%9C"
    assert normalize_url("/Ä/Ö") == "/%C3%84/%C3%96"


def test_a_text_that_takes_too_long_to_parse_has_no_previews(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chatapp.markdown.urls.PARSE_SECONDS", 0.0)
    assert find_urls("https://a.com", 3) == []
