"""The pages for admins."""

from flask import Blueprint, Response, render_template, request, stream_with_context

from chatapp.admin.export import write_csv, write_json_lines
from chatapp.admin.forms import KIND_LABELS, AuditFilterForm
from chatapp.audit_log import AuditKind, record
from chatapp.audit_log.queries import iterate_entries, list_entries
from chatapp.errors import Invalid
from chatapp.extensions import db
from chatapp.identity import current_admin, login_required
from chatapp.presentation.forms import ViewResponse
from chatapp.presentation.urls import parse_seq
from chatapp.storage import write

blueprint = Blueprint("admin", __name__, url_prefix="/admin")

PAGE_SIZE = 100
"""Entries on a page of the audit log."""


@blueprint.get("/audit-log")
@login_required
def audit_log() -> ViewResponse:
    """Show the entries of the audit log that match the conditions in the query, newest first."""
    current_admin()
    form = AuditFilterForm()
    entries = []
    if form.validate():
        before = parse_seq(request.args.get("before"))
        entries = list(list_entries(db.session(), form.parse(), limit=PAGE_SIZE + 1, before=before))
    conditions = {name: value for name, value in request.args.items() if name in form and value}
    page = render_template(
        "admin/audit_log.html",
        form=form,
        entries=entries[:PAGE_SIZE],
        oldest_id=entries[PAGE_SIZE - 1].id if len(entries) > PAGE_SIZE else None,
        conditions=conditions,
        labels=KIND_LABELS,
    )
    return page, form.status


@blueprint.get("/audit-log.<any(jsonl, csv):file_format>")
@login_required
def export_audit_log(file_format: str) -> Response:
    """Download the entries of the audit log that match the conditions in the query."""
    actor = current_admin().actor
    form = AuditFilterForm()
    if not form.validate():
        raise Invalid("These conditions are not valid. Choose them on the page of the audit log.")
    write(lambda transaction: record(transaction, AuditKind.AUDIT_LOG_EXPORTED, actor, target=file_format))
    entries = iterate_entries(db.session(), form.parse())
    lines, mimetype = (
        (write_csv(entries), "text/csv") if file_format == "csv" else (write_json_lines(entries), "application/jsonl")
    )
    response = Response(stream_with_context(lines), content_type=f"{mimetype}; charset=utf-8")
    response.headers.set("Content-Disposition", "attachment", filename=f"audit-log.{file_format}")
    return response
