"""The status of a page that shows a refused form again."""

from http import HTTPStatus

import pytest
from flask import Flask
from werkzeug.datastructures import MultiDict
from wtforms import StringField
from wtforms.validators import InputRequired

from chatapp.accounts.forms import PasswordForm, SignInForm, SignUpForm
from chatapp.api.tokens.forms import TokenForm
from chatapp.errors import Archived, ChatError, Conflict, Forbidden, Invalid, NotFound
from chatapp.presentation.forms import Form


class NameForm(Form):
    class Meta:
        csrf = False

    name = StringField("Name", [InputRequired("A name is needed.")])


@pytest.fixture
def flask_app() -> Flask:
    return Flask(__name__)


def submit(app: Flask, name: str, error: ChatError | None = None, *also: type[ChatError]) -> NameForm:
    with app.test_request_context(method="POST", data={"name": name}):
        form = NameForm()
        with form.show_errors(*also):
            if form.validate() and error is not None:
                raise error
        return form


def test_a_form_that_is_not_refused_has_the_status_ok(flask_app: Flask) -> None:
    with flask_app.test_request_context():
        assert NameForm().status == HTTPStatus.OK
    assert submit(flask_app, "Ana").status == HTTPStatus.OK


@pytest.mark.parametrize("error", [Invalid("wrong"), Conflict("taken"), Archived("archived")], ids=lambda e: e.code)
def test_a_refused_form_has_the_status_and_the_message_of_its_error(flask_app: Flask, error: ChatError) -> None:
    form = submit(flask_app, "Ana", error)
    assert form.status == error.status
    assert form.form_errors == [error.message]


def test_validation_errors_have_the_status_of_invalid(flask_app: Flask) -> None:
    form = submit(flask_app, "")
    assert form.status == Invalid.status
    assert form.name.errors == ["A name is needed."]


def test_other_errors_are_shown_only_where_the_view_names_them(flask_app: Flask) -> None:
    assert submit(flask_app, "Ana", Forbidden("no"), Forbidden).status == HTTPStatus.FORBIDDEN
    with pytest.raises(NotFound):
        submit(flask_app, "Ana", NotFound("nothing"), Forbidden)


def test_an_absent_field_is_an_empty_text(flask_app: Flask) -> None:
    with flask_app.test_request_context(method="POST"):
        assert Form.text(NameForm().name) == ""


@pytest.mark.parametrize("form", [SignUpForm, SignInForm, PasswordForm])
def test_a_form_that_is_shown_again_does_not_contain_the_password(flask_app: Flask, form: type[Form]) -> None:
    flask_app.config["WTF_CSRF_ENABLED"] = False
    with flask_app.test_request_context(method="POST"):
        names = [name for name in form()._fields if "password" in name]
        assert names
        shown = form(formdata=MultiDict(dict.fromkeys(names, "correct horse battery")))
        assert "correct horse" not in "".join(str(shown[name]()) for name in names)
    assert TokenForm.password.field_class is SignInForm.password.field_class
