"""Session templates: a prompt and first messages that assistant sessions begin with."""

from http import HTTPStatus
from typing import cast

from flask import Blueprint, Response, url_for

from chatapp.api import resources
from chatapp.api.access import current_caller, protect
from chatapp.api.document import CONTENT_ERRORS, describe
from chatapp.api.responses import respond
from chatapp.api.schemas import NewTemplate, TemplateUpdate, parse_id
from chatapp.assistants.templates import service
from chatapp.assistants.templates.queries import TemplateSummary, get_template, list_templates
from chatapp.config.assistants import find_assistant
from chatapp.errors import Conflict, NotFound
from chatapp.extensions import db

blueprint = Blueprint("api_templates", __name__, url_prefix="/api")
protect(blueprint)

TAG = "Assistants"
TEMPLATE = "/templates/<template_id>"


@blueprint.get("/templates")
@describe(resources.Templates, tag=TAG)
def list_usable_templates() -> Response:
    """List the session templates that you may use: your own ones, then those for everyone."""
    templates = list_templates(db.session(), current_caller().actor.user_id)
    body: resources.Templates = {"templates": [_present(each) for each in templates], "total": len(templates)}
    return respond(body)


@blueprint.post("/templates")
@describe(resources.Template, Conflict, *CONTENT_ERRORS, tag=TAG, status=HTTPStatus.CREATED, json=NewTemplate)
def create_template(json: NewTemplate) -> Response:
    """Create a session template. `POST /api/sessions` takes its id as `template`."""
    template_id = service.create_template(current_caller().actor, json.to_fields(), is_shared=json.shared)
    location = url_for("api_templates.show_template", template_id=template_id)
    return respond(_present_details(template_id), HTTPStatus.CREATED, Location=location)


@blueprint.get(TEMPLATE)
@describe(resources.Template, NotFound, tag=TAG)
def show_template(template_id: str) -> Response:
    """Get a session template."""
    return respond(_present_details(parse_id(template_id, "template")))


@blueprint.patch(TEMPLATE)
@describe(resources.Template, NotFound, *CONTENT_ERRORS, tag=TAG, json=TemplateUpdate)
def change_template(template_id: str, json: TemplateUpdate) -> Response:
    """Change a session template: one of your own, or as an admin one for everyone."""
    number = parse_id(template_id, "template")
    service.change_template(current_caller().actor, number, json.to_fields())
    return respond(_present_details(number))


@blueprint.delete(TEMPLATE)
@describe(None, NotFound, tag=TAG, status=HTTPStatus.NO_CONTENT)
def delete_template(template_id: str) -> Response:
    """Delete a session template. Sessions that began with it stay as they are."""
    service.delete_template(current_caller().actor, parse_id(template_id, "template"))
    return Response(status=HTTPStatus.NO_CONTENT)


def _present_details(template_id: int) -> resources.Template:
    # Start a new read transaction, which sees what was just written.
    db.session.rollback()
    template = get_template(db.session(), template_id, current_caller().actor.user_id)
    return {
        **_present(TemplateSummary.of(template)),
        "prompt": template.prompt,
        "messages": [cast(resources.FirstMessage, message) for message in template.messages],
    }


def _present(template: TemplateSummary) -> resources.TemplateSummary:
    assistant = find_assistant(template.assistant or "")
    return {
        "id": template.id,
        "name": template.name,
        "assistant": assistant.name if assistant else template.assistant,
        "category": template.category,
        "tags": list(template.tags),
        "is_shared": template.is_shared,
    }
