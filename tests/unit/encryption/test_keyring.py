"""Keys of encrypted columns, and their rotation."""

import stat
from pathlib import Path

import pytest

from chatapp.encryption.keyring import Keyring
from chatapp.encryption.streams import Undecryptable

FILE_KEY = b"k" * 32


@pytest.fixture(params=[None, FILE_KEY], ids=["without a master key", "with a master key"])
def file_key(request: pytest.FixtureRequest) -> bytes | None:
    key: bytes | None = request.param
    return key


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "column_keys"


def test_a_value_is_decrypted_by_other_processes_and_differs_each_time(path: Path, file_key: bytes | None) -> None:
    keyring = Keyring(path, file_key)
    one, two = keyring.encrypt("a secret — é", "column"), keyring.encrypt("a secret — é", "column")
    assert one != two
    assert "secret" not in one
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    other = Keyring(path, file_key)
    for reader in (keyring, other):
        assert [reader.decrypt(one, "column"), reader.decrypt(two, "column")] == ["a secret — é"] * 2
    assert keyring.decrypt(keyring.encrypt("", "column"), "column") == ""


def test_a_value_of_another_column_or_a_changed_one_is_refused(path: Path) -> None:
    keyring = Keyring(path, None)
    value = keyring.encrypt("secret", "column")
    key_id, _, sealed = value.partition(".")
    for bad in (
        f"{key_id}.{sealed[:-8]}AAAA{sealed[-4:]}",
        f"{key_id}.",
        f"{key_id}.ä",
        f"{key_id}.AAAA",
        "",
        "secret",
    ):
        with pytest.raises(Undecryptable) as raised:
            keyring.decrypt(bad, "column")
        assert sealed not in str(raised.value)
    with pytest.raises(Undecryptable, match="damaged"):
        keyring.decrypt(value, "other column")


def test_after_a_rotation_all_processes_encrypt_with_the_new_key_and_read_old_values(
    path: Path, file_key: bytes | None
) -> None:
    running = Keyring(path, file_key)
    old = running.encrypt("old", "column")
    key_id = Keyring(path, file_key).rotate()
    assert not old.startswith(key_id)
    new = running.encrypt("new", "column")
    assert new.startswith(f"{key_id}.")
    for keyring in (running, Keyring(path, file_key)):
        assert [keyring.decrypt(old, "column"), keyring.decrypt(new, "column")] == ["old", "new"]
    assert Keyring(path, file_key).rotate() != key_id
    assert running.decrypt(old, "column") == "old"


def test_without_its_key_a_value_is_refused(path: Path) -> None:
    value = Keyring(path, FILE_KEY).encrypt("secret", "column")
    for file_key in (None, b"x" * 32):
        with pytest.raises(Undecryptable):
            Keyring(path, file_key).decrypt(value, "column")
        with pytest.raises(Undecryptable):
            Keyring(path, file_key).encrypt("more", "column")
    path.unlink()
    with pytest.raises(Undecryptable, match="its key is not in"):
        Keyring(path, FILE_KEY).decrypt(value, "column")
    assert not path.exists()
