"""The forms of accounts. What a value may be is the service's to say; here is what the page asks for."""

from wtforms import BooleanField, HiddenField, PasswordField, StringField
from wtforms.validators import InputRequired, Length

from chatapp.accounts.service import NAME_LENGTH, PASSWORD_LENGTH
from chatapp.presentation.forms import Form

_BOUND = Length(max=1_000)


class SignUpForm(Form):
    """A new account."""

    username = StringField("Username", [InputRequired("Choose a username."), Length(max=32)])
    name = StringField("Display name", [Length(max=NAME_LENGTH)])
    password = PasswordField(
        "Password",
        [
            InputRequired("Choose a password."),
            Length(min=PASSWORD_LENGTH[0], message=f"A password has at least {PASSWORD_LENGTH[0]} characters."),
            _BOUND,
        ],
    )


class SignInForm(Form):
    """Name and password."""

    username = StringField("Username", [InputRequired("Enter your username."), _BOUND])
    password = PasswordField("Password", [InputRequired("Enter your password."), _BOUND])
    next = HiddenField()


class NameForm(Form):
    """One's own display name."""

    name = StringField("Display name", [InputRequired("Enter a name."), Length(max=NAME_LENGTH)])


class ReceiptsForm(Form):
    """Whether others are told how far one has read."""

    are_sent = BooleanField("Let others see how far I have read")


class PasswordForm(Form):
    """One's own password."""

    current_password = PasswordField("Current password", [InputRequired("Enter your current password."), _BOUND])
    new_password = PasswordField(
        "New password",
        [
            InputRequired("Choose a new password."),
            Length(min=PASSWORD_LENGTH[0], message=f"A password has at least {PASSWORD_LENGTH[0]} characters."),
            _BOUND,
        ],
    )
