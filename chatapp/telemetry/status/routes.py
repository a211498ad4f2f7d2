"""The page of the status, for admins."""

import time

from flask import Blueprint, Response, current_app, get_template_attribute, render_template, request, url_for
from markupsafe import Markup

from chatapp.api.responses import respond
from chatapp.identity import current_admin, login_required
from chatapp.telemetry.metrics import EXTENSION as METRICS
from chatapp.telemetry.metrics import Metrics
from chatapp.telemetry.status.page import StatusPage, make_page
from chatapp.telemetry.status.plots import RANGES
from chatapp.telemetry.status.status import current_status
from chatapp.telemetry.status.versions import list_versions

blueprint = Blueprint("status", __name__, url_prefix="/admin")

PARTS = ("updated", "alerts", "current", "processes", "largest", "statements", "versions")
"""The parts of the page that change while it is open: macros of `templates/admin/_status_parts.html`."""


@blueprint.get("/status")
@login_required
def show() -> str:
    """Show the figures of the installation. Its script updates them."""
    current_admin()
    page = _make_page()
    return render_template(
        "admin/status.html",
        page=page,
        parts=_render_parts(page),
        ranges=RANGES.values(),
        data_url=url_for(".data", range=page.chosen.name),
    )


@blueprint.get("/status.json")
@login_required
def data() -> Response:
    """Return the values of the plots, and the HTML of the parts that change."""
    current_admin()
    page = _make_page()
    plots = {
        drawn.plot.name: {"unit": drawn.unit, "summary": drawn.summary, "values": drawn.values}
        for drawn in page.plots.plots
    }
    return respond({"times": list(page.plots.times), "plots": plots, "parts": _render_parts(page)})


def _make_page() -> StatusPage:
    chosen = RANGES.get(request.args.get("range", ""), RANGES["hours"])
    metrics: Metrics = current_app.extensions[METRICS]
    contents, database = current_status().read(chosen.period), metrics.database.get()
    return make_page(chosen, contents, database, list_versions(), time.time())


def _render_parts(page: StatusPage) -> dict[str, Markup]:
    """Return the HTML of the parts by their names."""
    template = "admin/_status_parts.html"
    parts = {name: get_template_attribute(template, name)(page) for name in PARTS}
    table = get_template_attribute(template, "plot_table")
    return parts | {f"{drawn.plot.name}-table": table(drawn) for drawn in page.plots.plots}
