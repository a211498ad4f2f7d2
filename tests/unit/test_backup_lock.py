"""The lock of a data folder."""

from pathlib import Path

import pytest

from chatapp.backup.lock import exclusive_lock, share_lock
from chatapp.errors import Conflict


def test_servers_share_a_data_folder_and_a_restore_needs_it_alone(tmp_path: Path) -> None:
    with exclusive_lock(tmp_path), pytest.raises(Conflict, match="A backup is being restored"):
        share_lock(tmp_path)
    share_lock(tmp_path)
    share_lock(tmp_path)
    with pytest.raises(Conflict, match="A server uses the data folder"), exclusive_lock(tmp_path):
        pass
