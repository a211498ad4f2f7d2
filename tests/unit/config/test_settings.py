"""Settings, their environment variables, the secret key, and the tables that document them."""

import os
import re
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import structlog
from structlog.testing import capture_logs

from chatapp.config import loading
from chatapp.config import settings as settings_module
from chatapp.config.data_dir import prepare_data_dir
from chatapp.config.loading import find_variable_problems, load_settings, log_variable_problems
from chatapp.config.settings import OTHER_VARIABLES, RENAMED_VARIABLES, VARIABLES, Settings
from tests.harness import ROOT
from tests.harness.servers import clean_environment


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [*VARIABLES, *RENAMED_VARIABLES]:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("CHATAPP_DATA_DIR", str(tmp_path / "data"))


def documented_settings() -> dict[str, tuple[str, str]]:
    """Return default and meaning of each variable in the tables: the first ones in the README, the others on a page."""
    documents = "\n".join((ROOT / document).read_text() for document in ("README.md", "docs/settings.md"))
    rows = re.findall(r"^\| `([A-Z0-9_]+)` \| (?:(.*?) )?\| (.*) \|$", documents, re.MULTILINE)
    assert len({name for name, _, _ in rows}) == len(rows)
    return {name: (default, meaning) for name, default, meaning in rows}


def test_every_setting_is_documented_once_with_its_default() -> None:
    rows = documented_settings()
    assert rows.keys() == VARIABLES.keys()
    for name, field in VARIABLES.items():
        assert rows[name][1] == field.description, name
    for name in VARIABLES.keys() - {
        "DATABASE_URL",
        "DATABASE_READ_URL",
        "REDIS_URL",
        "CHATAPP_DATA_DIR",
        "CHATAPP_ASSISTANTS_FILE",
        "CHATAPP_ALLOWED_HOSTS",
        "CHATAPP_METRICS_TOKEN",
        "CHATAPP_DATABASE_KEY",
        "CHATAPP_DATABASE_KEY_FILE",
        "CHATAPP_FILES_ORIGIN",
        "CHATAPP_S3_ENDPOINT",
        "CHATAPP_S3_BUCKET",
        "CHATAPP_S3_ACCESS_KEY",
        "CHATAPP_S3_SECRET_KEY",
        "CHATAPP_S3_PREFIX",
    }:
        default = VARIABLES[name].default
        shown = f"{default:g}" if isinstance(default, float) else str(default)
        assert rows[name][0] == f"`{shown.lower() if isinstance(default, bool) else shown}`", name


def test_every_variable_in_code_and_documents_is_known() -> None:
    folders = ("bench", "bin", "chatapp", "docs", "templates", "tests")
    paths = [ROOT / "README.md", ROOT / "wsgi.py"]
    paths += [path for folder in folders for path in (ROOT / folder).rglob("*") if path.suffix != ".pyc"]
    # These name old and unknown variables on purpose.
    exempt = {Path(settings_module.__file__), Path(loading.__file__), Path(__file__)}
    known = VARIABLES.keys() | OTHER_VARIABLES
    for path in paths:
        if path.is_file() and path not in exempt:
            assert set(re.findall(r"CHATAPP_[A-Z0-9_]*[A-Z0-9]", path.read_text(errors="ignore"))) <= known, path


def test_settings_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    given = {"HOST": "0.0.0.0", "PORT": "8080", "CHATAPP_GENERAL_KEEP_LAST": "5", "CHATAPP_LOG_LEVEL": "debug"}  # noqa: S104
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    settings = Settings()
    assert (settings.host, settings.port, settings.general_keep_last, settings.log_level) == (
        "0.0.0.0",  # noqa: S104 - it is not listened on
        8080,
        5,
        "DEBUG",
    )


def test_a_variable_without_the_prefix_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOG_LEVEL", "DEBUG")
    monkeypatch.setenv("log_level", "DEBUG")
    assert Settings().log_level == "INFO"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "x"),
        ("PORT", "65536"),
        ("CHATAPP_GENERAL_KEEP_LAST", "-1"),
        ("CHATAPP_MAX_MESSAGE_CHARS", "0"),
        ("CHATAPP_HEARTBEAT_SECONDS", "0"),
        ("CHATAPP_LOG_LEVEL", "LOUD"),
        ("CHATAPP_SECURE_COOKIES", "perhaps"),
        ("CHATAPP_ALLOWED_HOSTS", "https://chat.example.org"),
        ("CHATAPP_ALLOWED_HOSTS", "chat.example.org:443"),
    ],
)
def test_an_invalid_value_is_reported_with_its_variable(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit, match=f"{name}: "):
        load_settings()


def test_an_invalid_value_under_an_old_name_is_reported_with_both_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHATAPP_EVENT_RATE", "many")
    with pytest.raises(SystemExit, match=r"(?s)CHATAPP_EVENTS_PER_SECOND: .*CHATAPP_EVENT_RATE was renamed"):
        load_settings()


def test_an_empty_variable_means_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORT", "")
    assert Settings().port == Settings.model_fields["port"].default


@pytest.mark.parametrize(("old", "new"), RENAMED_VARIABLES.items())
def test_a_renamed_variable_still_works_under_its_old_name(monkeypatch: pytest.MonkeyPatch, old: str, new: str) -> None:
    field = new.removeprefix("CHATAPP_").lower()
    monkeypatch.setenv(old, "1")
    assert str(getattr(Settings(), field)) in {"1", "1.0", "True"}
    monkeypatch.setenv(new, "0.5" if VARIABLES[new].annotation is float else "0" if field.startswith("socket") else "2")
    assert str(getattr(Settings(), field)) in {"2", "0.5", "False"}


def test_a_variable_that_is_known_is_no_problem() -> None:
    assert find_variable_problems([*VARIABLES, *OTHER_VARIABLES, "PATH", "OPENAI_API_KEY"]) == []


def test_a_renamed_variable_is_reported_with_its_new_name() -> None:
    assert find_variable_problems(["CHATAPP_SOCKET_JOINING"]) == [
        "CHATAPP_SOCKET_JOINING was renamed to CHATAPP_SOCKET_COALESCING; the old name still works"
    ]


def test_a_renamed_variable_is_ignored_when_the_new_one_is_set() -> None:
    (problem,) = find_variable_problems(["CHATAPP_SOCKET_COALESCING", "CHATAPP_SOCKET_JOINING"])
    assert problem.endswith("; it is ignored because CHATAPP_SOCKET_COALESCING is set")


@pytest.mark.parametrize(
    ("name", "suggestion"),
    [
        ("CHATAPP_SECURE_COOKIE", "CHATAPP_SECURE_COOKIES"),
        ("CHATAPP_GENERAL_KEEPLAST", "CHATAPP_GENERAL_KEEP_LAST"),
        ("CHATAPP_EVENTRATE", "CHATAPP_EVENTS_PER_SECOND"),
        ("CHATAPP_PORT", "PORT"),
        ("CHATAPP_DATABASE", "DATABASE_URL"),
        ("chatapp_log_level", "CHATAPP_LOG_LEVEL"),
    ],
)
def test_an_unknown_variable_is_reported_with_the_closest_known_name(name: str, suggestion: str) -> None:
    assert find_variable_problems([name]) == [
        f"{name} is not a setting of chatapp and has no effect; did you mean {suggestion}?"
    ]


@pytest.mark.parametrize("name", ["CHATAPP_XYZZY", "CHATAPP_FOO", "CHATAPP_"])
def test_an_unknown_variable_without_a_similar_name_is_reported_without_a_suggestion(name: str) -> None:
    assert find_variable_problems([name]) == [f"{name} is not a setting of chatapp and has no effect"]


def test_variables_of_the_environment_and_of_the_env_file_are_reported_in_the_log(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / ".env").write_text("CHATAPP_API_RATE=5\nCHATAPP_GENERAL_KEEP=\n")
    monkeypatch.setattr(loading, "ENV_FILE", tmp_path / ".env")
    # A logger that structlog has not bound to the configuration of another test's application.
    monkeypatch.setattr(loading, "log", structlog.get_logger())
    monkeypatch.setenv("CHATAPP_XYZZY", "1")
    with capture_logs() as logs:
        log_variable_problems()
    assert [(entry["log_level"], entry["event"]) for entry in logs] == [
        ("warning", "CHATAPP_API_RATE was renamed to CHATAPP_API_REQUESTS_PER_MINUTE; the old name still works"),
        ("warning", "CHATAPP_XYZZY is not a setting of chatapp and has no effect"),
    ]


@pytest.mark.parametrize("scheme", ["postgres", "postgresql"])
def test_postgresql_is_connected_to_with_psycopg_3(monkeypatch: pytest.MonkeyPatch, scheme: str) -> None:
    monkeypatch.setenv("DATABASE_URL", f"{scheme}://ana:a%40b@host:5433/chat")
    assert Settings().sqlalchemy_url == "postgresql+psycopg://ana:a%40b@host:5433/chat"


@pytest.mark.parametrize("url", ["mysql://ana@host/chat", "mysql+pymysql://ana@host/chat", "chat.sqlite3"])
def test_other_databases_than_sqlite_and_postgresql_are_refused(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("DATABASE_URL", url)
    with pytest.raises(
        SystemExit, match=r"DATABASE_URL: .*is not supported; write postgresql://user:password@host/name"
    ):
        load_settings()


@pytest.mark.parametrize(
    ("url", "read_url"),
    [("", "postgresql://host/chat"), ("postgresql://host/chat", "sqlite:///chat"), ("sqlite://", "sqlite://")],
)
def test_only_postgresql_has_a_replica(monkeypatch: pytest.MonkeyPatch, url: str, read_url: str) -> None:
    monkeypatch.setenv("DATABASE_URL", url)
    monkeypatch.setenv("DATABASE_READ_URL", read_url)
    with pytest.raises(SystemExit, match=r"DATABASE_READ_URL: .*only PostgreSQL has replicas"):
        load_settings()


BUCKET_VARIABLES = {
    "CHATAPP_S3_ENDPOINT": "https://s3.example.org/",
    "CHATAPP_S3_BUCKET": "files",
    "CHATAPP_S3_ACCESS_KEY": "id",
    "CHATAPP_S3_SECRET_KEY": "secret",
}


def test_a_bucket_is_set_completely_or_not_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in BUCKET_VARIABLES.items():
        monkeypatch.setenv(name, value)
    settings = load_settings()
    assert (settings.s3_bucket, settings.s3_endpoint) == ("files", "https://s3.example.org")
    for name, value in BUCKET_VARIABLES.items():
        monkeypatch.setenv(name, "")
        expected = "set CHATAPP_S3_BUCKET too" if name == "CHATAPP_S3_BUCKET" else f"a bucket needs {name} too"
        with pytest.raises(SystemExit, match=expected):
            load_settings()
        monkeypatch.setenv(name, value)


@pytest.mark.parametrize("url", ["s3.example.org", "ftp://s3.example.org", "https://user:secret@host", "https://a/b"])
def test_the_address_of_a_bucket_is_checked(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("CHATAPP_S3_ENDPOINT", url)
    with pytest.raises(SystemExit, match=r"CHATAPP_S3_ENDPOINT: .*write https://s3\.example\.org"):
        load_settings()


def test_the_origin_of_files_has_a_host_name_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHATAPP_ALLOWED_HOSTS", "chat.example.org")
    monkeypatch.setenv("CHATAPP_FILES_ORIGIN", "https://Files.example.org:8443/")
    settings = load_settings()
    assert (settings.files_origin, settings.files_host_name) == ("https://files.example.org:8443", "files.example.org")
    assert settings.own_host_names == {"chat.example.org", "files.example.org"}
    monkeypatch.setenv("CHATAPP_FILES_ORIGIN", "https://files.example.org.")
    assert load_settings().files_origin == "https://files.example.org"
    monkeypatch.setenv("HOST", "192.0.2.7")
    for url in ("https://chat.example.org:8443", "https://chat.example.org.", "https://192.0.2.7"):
        monkeypatch.setenv("CHATAPP_FILES_ORIGIN", url)
        with pytest.raises(SystemExit, match=r"CHATAPP_FILES_ORIGIN: .*another one than HOST and those"):
            load_settings()


@pytest.mark.parametrize("names", ["", "*", "chat.example.org, *"])
def test_the_origin_of_files_needs_the_names_of_the_pages(monkeypatch: pytest.MonkeyPatch, names: str) -> None:
    monkeypatch.setenv("CHATAPP_ALLOWED_HOSTS", names)
    monkeypatch.setenv("CHATAPP_FILES_ORIGIN", "https://files.example.org")
    with pytest.raises(SystemExit, match=r"CHATAPP_FILES_ORIGIN: .*set CHATAPP_ALLOWED_HOSTS"):
        load_settings()


def test_an_invalid_host_name_is_reported_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHATAPP_ALLOWED_HOSTS", "https://chat.example.org")
    monkeypatch.setenv("CHATAPP_FILES_ORIGIN", "https://files.example.org")
    with pytest.raises(SystemExit) as exit_info:
        load_settings()
    assert str(exit_info.value.code).count("CHATAPP_ALLOWED_HOSTS") == 1


@pytest.mark.parametrize(
    "url", ["files.example.org", "https://user:secret@host", "https://a/b", "https://a;script-src *"]
)
def test_the_origin_of_files_is_an_origin(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("CHATAPP_FILES_ORIGIN", url)
    with pytest.raises(SystemExit, match=r"CHATAPP_FILES_ORIGIN: .*write https://files\.example\.org"):
        load_settings()


def test_pages_over_https_need_files_over_https(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHATAPP_SECURE_COOKIES", "true")
    monkeypatch.setenv("CHATAPP_FILES_ORIGIN", "http://files.example.org")
    with pytest.raises(SystemExit, match=r"CHATAPP_FILES_ORIGIN: .*write https://…"):
        load_settings()


def test_the_secret_key_is_created_once_and_only_its_owner_can_read_it() -> None:
    old = os.umask(0)
    try:
        settings = Settings()
        prepare_data_dir(settings.data_dir)
        key = settings.secret_key()
    finally:
        os.umask(old)
    path = settings.data_dir / "secret_key"
    assert len(key) >= 64
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(settings.data_dir.stat().st_mode) == 0o700
    assert Settings().secret_key() == key == path.read_text()
    assert [file.name for file in settings.data_dir.iterdir()] == ["secret_key"]


def test_processes_that_start_at_the_same_time_read_the_same_key(tmp_path: Path) -> None:
    script = (
        "import sys; from chatapp.config import Settings; settings = Settings();"
        "settings.data_dir.mkdir(exist_ok=True);"
        "print('ready', flush=True); sys.stdin.readline(); print(settings.secret_key())"
    )
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", script],
            cwd=ROOT,
            env=clean_environment(CHATAPP_DATA_DIR=str(tmp_path / "data")),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    with ThreadPoolExecutor(len(processes)) as threads:
        outputs = threads.map(lambda process: process.communicate("go\n", timeout=20), processes)
        keys = [out for out, _ in outputs]
    assert len(set(keys)) == 1
    assert len(keys[0].strip()) == 64


KEY = "a2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2s="


def test_the_key_of_what_is_stored_comes_from_a_variable_or_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert load_settings().master_key is None
    assert load_settings().derive_key("archive") is None
    monkeypatch.setenv("CHATAPP_DATABASE_KEY", KEY)
    settings = load_settings()
    assert settings.master_key is not None
    assert KEY not in f"{settings!r} {settings}"
    monkeypatch.delenv("CHATAPP_DATABASE_KEY")
    (tmp_path / "key").write_text(f"{KEY}\n")
    monkeypatch.setenv("CHATAPP_DATABASE_KEY_FILE", str(tmp_path / "key"))
    assert load_settings().derive_key("archive") == settings.derive_key("archive")


@pytest.mark.parametrize(
    ("variables", "reason"),
    [
        ({"CHATAPP_DATABASE_KEY": KEY[:20]}, "CHATAPP_DATABASE_KEY: .*32 random bytes in Base64"),
        ({"CHATAPP_DATABASE_KEY": KEY, "CHATAPP_DATABASE_KEY_FILE": "key"}, "set either CHATAPP_DATABASE_KEY or"),
        (
            {"CHATAPP_DATABASE_KEY_FILE": "/missing"},
            "CHATAPP_DATABASE_KEY_FILE: .*/missing cannot be read",
        ),
        ({"CHATAPP_DATABASE_KEY_FILE": __file__}, "32 random bytes in Base64"),
    ],
)
def test_an_invalid_key_is_named_and_not_repeated(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], reason: str
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit, match=reason) as raised:
        load_settings()
    assert KEY[:20] not in str(raised.value)
