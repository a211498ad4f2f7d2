"""The master key, and files with secrets."""

import base64
import stat
from pathlib import Path

import pytest

from chatapp.encryption.files import read, read_or_create, replace
from chatapp.encryption.keys import ARCHIVE, DATABASE, MasterKey
from chatapp.encryption.streams import Undecryptable

TEXT = base64.b64encode(bytes(range(32))).decode()


def test_each_purpose_has_a_key_of_its_own() -> None:
    key = MasterKey.parse(f"{TEXT}\n")
    assert len({key.derive(DATABASE), key.derive(ARCHIVE), bytes(range(32))}) == 3
    assert key.derive(DATABASE) == MasterKey(bytes(range(32))).derive(DATABASE), "the same after a restart"
    assert key.derive(DATABASE).hex() == "db60230c29708df0fdf08829b76493bf26810c9226a485458c6daf6b052ac151"


@pytest.mark.parametrize("text", ["", "password", TEXT[:-4], TEXT + "AAAA", TEXT.replace("A", "ä"), "0" * 64])
def test_a_key_of_another_form_is_refused_and_not_repeated(text: str) -> None:
    with pytest.raises(ValueError, match="32 random bytes in Base64") as raised:
        MasterKey.parse(text)
    assert not text or text not in str(raised.value)


def test_a_secret_file_is_created_once_and_encrypted_if_there_is_a_key(tmp_path: Path) -> None:
    for key in (None, b"k" * 32):
        path = tmp_path / "secret"
        assert read_or_create(path, key, lambda: b"first") == read_or_create(path, key, lambda: b"second") == b"first"
        assert (path.read_bytes() == b"first") == (key is None)
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        replace(path, b"third", key)
        assert read(path, key) == b"third"
        assert list(tmp_path.iterdir()) == [path], "no draft is left"
        path.unlink()


def test_an_encrypted_secret_is_not_read_with_another_key_or_none(tmp_path: Path) -> None:
    replace(tmp_path / "secret", b"text", b"k" * 32)
    for key in (None, b"x" * 32):
        with pytest.raises(Undecryptable):
            read(tmp_path / "secret", key)
