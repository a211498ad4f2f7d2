"""Authorization: who uses and who edits a session template, for pages and the API."""

from chatapp.errors import Forbidden, NotFound
from chatapp.models import SessionTemplate


def authorize_template_use(template: SessionTemplate | None, user_id: int) -> SessionTemplate:
    """Return the template if the user may see it and begin sessions with it: a shared one, or their own.

    Raises `NotFound`.
    """
    if template is None or template.owner_id not in {None, user_id}:
        raise NotFound("There is no such template.")
    return template


def authorize_template_editing(template: SessionTemplate | None, user_id: int, *, is_admin: bool) -> SessionTemplate:
    """Return the template if the user may change and delete it. Raises `NotFound`, `Forbidden`."""
    visible = authorize_template_use(template, user_id)
    if not may_edit_template(visible.owner_id, user_id, is_admin=is_admin):
        raise Forbidden("Only admins may do this with templates for everyone.")
    return visible


def may_edit_template(owner_id: int | None, user_id: int, *, is_admin: bool) -> bool:
    """Return whether the user may edit the templates of this owner; None for the templates for everyone."""
    return owner_id == user_id or (owner_id is None and is_admin)
