"""The forms of the pages for admins."""

from datetime import UTC, date, datetime, time, timedelta

from flask import request
from flask_wtf.file import FileField, FileRequired
from wtforms import BooleanField, DateField, SelectField, StringField
from wtforms.validators import InputRequired, Length, Optional

from chatapp.audit_log.kinds import AuditKind
from chatapp.audit_log.queries import AuditFilter
from chatapp.custom_emoji.service import MAX_KB
from chatapp.presentation.forms import Form

KIND_LABELS = {kind.value: kind.replace("_", " ").replace(".", " ").capitalize() for kind in AuditKind}
"""How each kind is named on pages: “Sign in failed”."""


class AuditFilterForm(Form):
    """The conditions on entries of the audit log, in the query of the URL."""

    kind = SelectField("Event", choices=[("", "All events"), *KIND_LABELS.items()], default="")
    person = StringField("Username", [Length(max=32)])
    since = DateField("From", [Optional()])
    until = DateField("To", [Optional()])

    def __init__(self) -> None:
        super().__init__(formdata=request.args, meta={"csrf": False})

    def parse(self) -> AuditFilter:
        """Return the conditions, after `validate`. Days are in UTC, and both of them are included."""
        until = self.until.data
        return AuditFilter(
            kind=AuditKind(self.kind.data) if self.kind.data else None,
            username=_parse_username(self.text(self.person)),
            since=None if self.since.data is None else datetime.combine(self.since.data, time(), UTC),
            # Python knows no day after the last one.
            until=None if until in {None, date.max} else datetime.combine(until, time(), UTC) + timedelta(days=1),
        )


class PersonForm(Form):
    """The user whose webhooks, links and tokens are listed, in the query of the URL."""

    person = StringField("Username", [Length(max=32)])

    def __init__(self) -> None:
        super().__init__(formdata=request.args, meta={"csrf": False})

    @property
    def username(self) -> str | None:
        """The username that was entered."""
        return _parse_username(self.text(self.person))


class SwitchesForm(Form):
    """What users of the installation may do."""

    has_share_links = BooleanField("Public links to conversations with assistants")
    has_outgoing_webhooks = BooleanField("Outgoing webhooks")


class EmojiForm(Form):
    """A new custom emoji."""

    name = StringField(
        "Name",
        [InputRequired("Enter a name.")],
        description="Typed between colons, such as :party_blob:. Lower-case letters, digits, _, + and -.",
    )
    image = FileField("Image", [FileRequired("Choose an image.")], render_kw={"data-max-bytes": MAX_KB * 1_000})


def _parse_username(text: str) -> str | None:
    return text.replace("\0", "").strip().removeprefix("@").lower() or None
