"""`Dockerfile`, `compose.yaml` and `deploy/`: checked by the programs that read them, where these are installed."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from werkzeug.routing import Map

from chatapp import create_app
from chatapp.config import VARIABLES, Settings
from chatapp.web.security import FILE_FORM_ENDPOINTS, MAX_FILE_FORM_BYTES, MAX_REQUEST_BYTES
from tests.harness import ROOT
from tests.harness.waiting import scaled

DEPLOY = ROOT / "deploy"


@pytest.fixture(scope="module")
def url_map(tmp_path_factory: pytest.TempPathFactory) -> Map:
    return create_app(Settings(data_dir=tmp_path_factory.mktemp("data"), database_url="", log_level="WARNING")).url_map


def make_path(rule: str) -> str:
    """Return a path of a URL rule."""
    return re.sub(r"<[^>]+>", "1", rule)


def find_patterns(path: str, part: str) -> set[str]:
    """Return the regular expressions with a text in the configuration of a proxy."""
    expressions = re.findall(r"(?:location ~|path_regexp) (\S+)", (DEPLOY / path).read_text())
    return {each for each in expressions if part in each}


def check(*command: str) -> None:
    """Run a program that checks a file."""
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=scaled(60), check=False)
    assert result.returncode == 0, result.stdout + result.stderr


def has_compose() -> bool:
    """Return whether Docker's client has the command `compose`."""
    docker = shutil.which("docker")
    command = [str(docker), "compose", "version"]
    return docker is not None and subprocess.run(command, capture_output=True, check=False).returncode == 0


@pytest.mark.skipif(not has_compose(), reason="docker compose is not installed")
def test_docker_compose_accepts_its_file() -> None:
    check("docker", "compose", "--file", str(ROOT / "compose.yaml"), "config", "--quiet")


@pytest.mark.skipif(not shutil.which("caddy"), reason="Caddy is not installed")
def test_caddy_accepts_its_file() -> None:
    check("caddy", "validate", "--adapter", "caddyfile", "--config", str(DEPLOY / "caddy" / "Caddyfile"))


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd is not installed")
def test_systemd_accepts_the_unit(tmp_path: Path) -> None:
    text = (DEPLOY / "systemd" / "chatapp.service").read_text()
    unit = tmp_path / "chatapp.service"
    unit.write_text(text.replace("/srv/chatapp/.venv/bin/python", str(shutil.which("true"))))
    check("systemd-analyze", "verify", "--man=no", str(unit))


@pytest.mark.parametrize("path", ["Dockerfile", "compose.yaml", "deploy/systemd/chatapp.service"])
def test_settings_in_the_files_exist(path: str) -> None:
    names = set(re.findall(r"\bCHATAPP_[A-Z_]+", (ROOT / path).read_text()))
    assert names
    assert names <= VARIABLES.keys()


@pytest.mark.parametrize("path", ["nginx/chatapp.conf", "caddy/Caddyfile"])
def test_proxies_have_the_limit_of_chatapp_for_bodies(path: str) -> None:
    text = (DEPLOY / path).read_text()
    limits = re.findall(r"(?:client_max_body_size|max_size)\s+(\d+)", text)
    # Uploads have none. In nginx that is a limit of 0.
    uploads = ["0"] if path.startswith("nginx") else []
    assert limits == [str(MAX_REQUEST_BYTES), *uploads, str(MAX_FILE_FORM_BYTES)]
    assert "^/uploads/" in text


@pytest.mark.parametrize("path", ["nginx/chatapp.conf", "caddy/Caddyfile"])
def test_proxies_have_the_limit_of_chatapp_for_each_form_with_files(path: str, url_map: Map) -> None:
    (pattern,) = find_patterns(path, "/messages")
    forms = {make_path(rule.rule) for rule in url_map.iter_rules() if rule.endpoint in FILE_FORM_ENDPOINTS}
    assert len(forms) >= len(FILE_FORM_ENDPOINTS)
    assert {each for each in forms if not re.match(pattern, each)} == set()


def test_nginx_writes_no_download_to_a_temporary_file(url_map: Map) -> None:
    (pattern,) = find_patterns("nginx/chatapp.conf", "files/")
    downloads = {make_path(rule.rule) for rule in url_map.iter_rules() if "/files/<" in rule.rule}
    assert len(downloads) >= 4
    assert {each for each in downloads | {"/files/ticket/a.png"} if not re.match(pattern, each)} == set()


def test_every_path_that_the_image_is_built_from_exists() -> None:
    paths = re.findall(r"^!(.+)$", (ROOT / ".dockerignore").read_text(), re.MULTILINE)
    assert "wsgi.py" in paths
    assert [path for path in paths if not (ROOT / path).exists()] == []
