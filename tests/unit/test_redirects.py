"""Targets of redirects after signing in: only pages of this installation, however a browser reads the URL."""

import pytest

from chatapp.accounts.login import is_local_url


@pytest.mark.parametrize("target", ["/", "/rooms/26", "/rooms?q=1", "/?before=5#m-4", "/a:b", "/x//y"])
def test_paths_of_this_installation_are_local(target: str) -> None:
    assert is_local_url(target)


@pytest.mark.parametrize(
    "target",
    [
        *("", "rooms", ".", "..", "?x", "#x", "https:", "https:/", "https:evil", "https://evil", "HTTPS://evil"),
        *("//evil", "///evil", "////evil", "//", "//evil\\@ours", "//ours@evil", "//[::1]", "//["),
        *("/\\evil", "\\\\evil", "\\/evil", "/rooms\\..\\", "/\\/evil"),
        *("/\t/evil", "/\n/evil", "/\r/evil", "\t//evil", " //evil", "/\0/evil", "/\x1f/evil"),
        *("/\u2028/evil", "/\x7f/evil", "/\u200b/evil", "/\ud800"),
        *("javascript:alert(1)", "data:text/html,x", "mailto:a@b", "\x01https://evil", "evil", "@evil"),
    ],
    ids=ascii,
)
def test_all_other_targets_are_refused(target: str) -> None:
    assert not is_local_url(target)
