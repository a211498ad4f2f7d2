"""The page of the installation's status, for admins."""

import re
from pathlib import Path

from tests.harness.people import Person
from tests.harness.rows import add_people
from tests.harness.servers import NewServer, Server
from tests.harness.waiting import eventually

PAGE = "/admin/status"


def test_an_admin_sees_figures_processes_conversations_and_versions(server: Server, ana: Person) -> None:
    ana.connect().post("counted, not shown")
    eventually(lambda: f"Server on port {server.port}" in ana.get(PAGE).text, "the process has reported")
    page = ana.get(PAGE)
    assert page.status_code == 200
    for text in ("No alerts.", "General", "Python", "Size of the database"):
        assert text in page.text
    assert "counted, not shown" not in page.text + ana.get(f"{PAGE}.json").text
    assert server.data_dir.joinpath("status.sqlite3").stat().st_mode & 0o077 == 0


def test_the_page_and_its_data_have_the_same_plots(ana: Person) -> None:
    for name in ("hours", "week", "year", "unknown"):
        page, data = ana.get(f"{PAGE}?range={name}"), ana.get(f"{PAGE}.json?range={name}")
        assert (page.status_code, data.status_code) == (200, 200)
        plots = data.json()["plots"]
        assert set(re.findall(r'data-plot="(\w+)"', page.text)) == set(plots) >= {"messages", "acks", "spool", "disk"}
        for plot in plots.values():
            assert all(len(values) == len(data.json()["times"]) for values in plot["values"])


def test_a_damaged_history_is_replaced_and_an_alert_is_in_the_log_the_metrics_and_on_the_page(
    new_server: NewServer,
) -> None:
    server = new_server()
    Path(server.data_dir, "status.sqlite3").write_bytes(b"no database" * 1_000)
    server.start()
    (ana,) = add_people(server, "ana")
    eventually(lambda: f"Server on port {server.port}" in ana.get(PAGE).text, "the process has reported")
    assert 'chatapp_alert{name="spool"} 0' in ana.get("/metrics").text
    assert "Traceback" not in server.log()
    ana.close()
