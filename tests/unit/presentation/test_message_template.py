"""The HTML of messages: what is rendered once for each sender is what the template renders for each message."""

from dataclasses import fields, replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jinja2 import Environment
from markupsafe import Markup, escape

from chatapp import create_app
from chatapp.config import Settings
from chatapp.conversations.people import Person
from chatapp.conversations.refs import ConversationRef
from chatapp.presentation.message_template import Body, MessageTemplate
from chatapp.presentation.messages import get_message_presenter
from chatapp.timeline import TimelineMessage
from chatapp.timeline.messages import ReactionGroup

HELLO = Body(Markup("hello"), is_formatted=False)

TIMES = st.datetimes(timezones=st.just(UTC))

TEXTS = st.text("a%s(<&\"'{ ", max_size=10)

PEOPLE = st.builds(Person, st.integers(1, 9), st.just("ana"), st.text("A%s(<&\"' ", min_size=1, max_size=10))

MESSAGES = st.builds(
    TimelineMessage,
    conversation=st.just(ConversationRef("room", 26)),
    id=st.integers(1),
    seq=st.none() | st.integers(1),
    version=st.integers(1),
    sender=st.none() | PEOPLE,
    sender_type=st.sampled_from(["user", "system"]),
    message_type=st.sampled_from(["text", "system"]),
    content=TEXTS,
    client_id=st.none() | TEXTS,
    created_at=TIMES,
    edited_at=st.none() | TIMES,
    deleted_at=st.none() | TIMES,
    is_pending=st.booleans(),
    reactions=st.just(()) | st.tuples(st.builds(ReactionGroup, st.just("👍"), st.tuples(PEOPLE))),
    mentions=st.just(()) | st.tuples(PEOPLE),
    sender_name=st.none() | TEXTS,
    reply_to=st.none() | st.integers(1),
    asker_id=st.none() | st.integers(1),
    answer_state=st.none() | st.just("complete"),
    answer_problem=st.none() | TEXTS,
    metadata=st.none() | st.just({"key": "value"}),
)

PLAIN = TimelineMessage(
    conversation=ConversationRef("room", 26),
    id=1,
    seq=1,
    version=1,
    sender=Person(3, "ana", "100 % Ana"),
    content="hello",
    client_id="0e8a4ff2-3c1b-4a57-9d0e-5f2c8f0a1b2c",
    created_at=datetime(2026, 1, 1, tzinfo=UTC),
)


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> MessageTemplate:
    app = create_app(Settings(data_dir=tmp_path_factory.mktemp("data")))
    presenter = get_message_presenter(app)
    return MessageTemplate(
        app.jinja_env,
        render_avatar=presenter.render_avatar,
        render_sender=presenter.render_sender,
        shows_few_emoji=presenter.shows_few_emoji,
    )


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(message=MESSAGES, is_formatted=st.booleans())
def test_every_message_is_rendered_as_the_template_renders_it(
    template: MessageTemplate, message: TimelineMessage, is_formatted: bool
) -> None:
    body = Body(escape(message.content), is_formatted=is_formatted)
    assert template.render(message, body) == template.render_without_frame(message, body)


@pytest.mark.parametrize("name", [field.name for field in fields(TimelineMessage)])
@settings(deadline=None, max_examples=5, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_a_plain_message_with_any_other_value_is_rendered_as_the_template_renders_it(
    template: MessageTemplate, name: str, data: st.DataObject
) -> None:
    changed = replace(PLAIN, **{name: getattr(data.draw(MESSAGES), name)})
    body = Body(escape(changed.content), is_formatted=data.draw(st.booleans()))
    assert template.render(changed, body) == template.render_without_frame(changed, body)


def test_the_template_is_rendered_once_for_the_plain_messages_of_a_sender(
    template: MessageTemplate, monkeypatch: pytest.MonkeyPatch
) -> None:
    template.render(PLAIN, HELLO)

    def fail(*_arguments: Any) -> None:
        raise AssertionError("the template is rendered again")

    monkeypatch.setattr(Environment, "get_template", fail)
    again = template.render(replace(PLAIN, seq=7, content="<b>"), Body(escape("<b>"), is_formatted=False))
    assert 'data-seq="7"' in again
    assert '<div class="message-body">&lt;b&gt;</div>' in again
    assert ">100 % Ana</a>" in again
    with pytest.raises(AssertionError):
        template.render(replace(PLAIN, sender=Person(3, "ana", "Renamed")), HELLO)
