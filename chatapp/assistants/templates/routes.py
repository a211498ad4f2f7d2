"""Pages of session templates."""

from flask import Blueprint, flash, redirect, render_template, url_for
from werkzeug.wrappers import Response

from chatapp.assistants.tags import split_tags
from chatapp.assistants.templates import service
from chatapp.assistants.templates.forms import SHARED, TemplateForm
from chatapp.assistants.templates.policy import authorize_template_editing, may_edit_template
from chatapp.assistants.templates.queries import get_template, list_templates
from chatapp.config.assistants import current_assistants
from chatapp.extensions import db
from chatapp.identity import current_person, login_required
from chatapp.models import SessionTemplate
from chatapp.presentation.forms import ViewResponse
from chatapp.presentation.urls import ID

blueprint = Blueprint("session_templates", __name__, url_prefix="/templates")


@blueprint.get("")
@login_required
def index() -> str:
    """List the templates that the user may use."""
    person = current_person()
    templates = list_templates(db.session(), person.id)
    return render_template(
        "session_templates/index.html",
        own=[template for template in templates if not template.is_shared],
        shared=[template for template in templates if template.is_shared],
        may_edit_shared=may_edit_template(None, person.id, is_admin=person.is_admin),
        assistants=current_assistants(),
    )


@blueprint.route("/new", methods=["GET", "POST"])
@login_required
def new() -> ViewResponse:
    """Create a template."""
    form = TemplateForm()
    with form.show_errors():
        if _is_complete(form):
            service.create_template(
                current_person().actor, form.to_fields(), is_shared=form.text(form.visibility) == SHARED
            )
            flash("Template created.")
            return redirect(url_for("session_templates.index"))
    return _render_form(form, None)


@blueprint.route(f"/<{ID}:template_id>", methods=["GET", "POST"])
@login_required
def edit(template_id: int) -> ViewResponse:
    """Change a template."""
    person = current_person()
    template = authorize_template_editing(
        get_template(db.session(), template_id, person.id), person.id, is_admin=person.is_admin
    )
    form = TemplateForm(
        data={
            "name": template.name,
            "assistant": template.assistant or "",
            "prompt": template.prompt,
            "messages": template.messages,
            "category": template.category,
            "tags": ", ".join(split_tags(template.tags)),
        }
    )
    with form.show_errors():
        if _is_complete(form):
            service.change_template(person.actor, template_id, form.to_fields())
            flash("Template saved.")
            return redirect(url_for("session_templates.index"))
    return _render_form(form, template)


@blueprint.post(f"/<{ID}:template_id>/delete")
@login_required
def delete(template_id: int) -> Response:
    """Delete a template."""
    service.delete_template(current_person().actor, template_id)
    flash("Template deleted.")
    return redirect(url_for("session_templates.index"))


def _is_complete(form: TemplateForm) -> bool:
    """Return whether a valid form is to be saved: unless its page is to be shown with a further message."""
    form.offer_assistants(current_assistants())
    if form.add_message.data:
        form.add_first_message()
        return False
    return bool(form.validate_on_submit())


def _render_form(form: TemplateForm, template: SessionTemplate | None) -> ViewResponse:
    if not form.messages.entries:
        form.add_first_message()
    return form.page(
        "session_templates/form.html",
        edited=template,
        may_share=may_edit_template(None, current_person().id, is_admin=current_person().is_admin),
    )
