"""`bin/setup`, which installs what chatapp needs."""

import shutil
import subprocess
from pathlib import Path

from tests.harness import ROOT


def test_an_environment_behind_a_link_is_not_emptied(tmp_path: Path) -> None:
    project, other = tmp_path / "project", tmp_path / "other"
    (project / "bin").mkdir(parents=True)
    shutil.copy(ROOT / "bin" / "setup", project / "bin")
    other.mkdir()
    (other / "pyvenv.cfg").write_text("home = /usr/bin\n")
    (project / ".venv").symlink_to(other)

    result = subprocess.run([project / "bin" / "setup"], capture_output=True, text=True, check=False)

    assert result.returncode == 1
    assert ".venv is a symbolic link" in result.stderr
    assert (other / "pyvenv.cfg").read_text() == "home = /usr/bin\n"
