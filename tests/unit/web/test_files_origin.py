"""URLs of the origin of files."""

import pytest

from chatapp.web.files_origin import choose_expiry


@pytest.mark.parametrize("now", [1_200_000, 1_200_001, 1_200_029])
def test_a_url_is_the_same_for_half_of_its_time_so_that_browsers_find_the_file_in_their_caches(now: int) -> None:
    assert choose_expiry(60, now) == 1_200_060
    assert choose_expiry(60, 1_200_030) == 1_200_090


@pytest.mark.parametrize("max_seconds", [2, 3, 60, 61, 3_600])
def test_a_url_is_valid_for_half_of_the_time_at_least(max_seconds: int) -> None:
    seconds = [choose_expiry(max_seconds, now) - now for now in range(1_200_000, 1_203_600)]
    assert max(seconds) <= max_seconds
    assert min(seconds) > max_seconds / 2 - 1
