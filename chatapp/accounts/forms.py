"""The forms of accounts. They check what a browser can check; `service` checks the rest."""

from wtforms import BooleanField, HiddenField, PasswordField, SelectField, StringField
from wtforms.validators import InputRequired, Length

from chatapp.accounts.service import MAX_DISPLAY_NAME_CHARS, MIN_PASSWORD_CHARS
from chatapp.presentation.forms import Form

_BOUNDED = Length(max=1_000)
_LONG_ENOUGH = Length(min=MIN_PASSWORD_CHARS, message=f"A password must have at least {MIN_PASSWORD_CHARS} characters.")


class SignUpForm(Form):
    """A new account."""

    username = StringField("Username", [InputRequired("Enter a username."), Length(max=32)])
    name = StringField("Display name", [Length(max=MAX_DISPLAY_NAME_CHARS)])
    password = PasswordField(
        "Password",
        [InputRequired("Enter a password."), _LONG_ENOUGH, _BOUNDED],
        description=f"At least {MIN_PASSWORD_CHARS} characters, and not easy to guess.",
    )


class SignInForm(Form):
    """Username and password, and the page to open afterwards."""

    username = StringField("Username", [InputRequired("Enter your username."), _BOUNDED])
    password = PasswordField("Password", [InputRequired("Enter your password."), _BOUNDED])
    next = HiddenField()


class NameForm(Form):
    """The user's display name."""

    name = StringField("Display name", [InputRequired("Enter a name."), Length(max=MAX_DISPLAY_NAME_CHARS)])


class InvitationForm(Form):
    """The limits of a new invitation."""

    days = SelectField(
        "Expires after",
        choices=[("1", "1 day"), ("7", "7 days"), ("30", "30 days"), ("", "Never")],
        default="7",
    )
    max_uses = SelectField(
        "Number of accounts",
        choices=[("1", "1"), ("5", "5"), ("10", "10"), ("25", "25"), ("100", "100"), ("", "No limit")],
        default="10",
    )


class BanForm(Form):
    """What else a ban revokes."""

    revokes_invitations = BooleanField("Revoke all invitation links", default=True)


class ReadReceiptsForm(Form):
    """Whether other users see how far the user has read."""

    are_sent = BooleanField("Send read receipts")


class PasswordForm(Form):
    """A new password."""

    current_password = PasswordField("Current password", [InputRequired("Enter your current password."), _BOUNDED])
    new_password = PasswordField("New password", [InputRequired("Enter a new password."), _LONG_ENOUGH, _BOUNDED])
