"""The pictures of assistants beside their answers, which change when an admin changes them."""

from datetime import UTC, datetime

from chatapp.conversations.refs import GENERAL, assistant_ref
from chatapp.conversations.signals import AssistantPicture
from chatapp.presentation.messages import MessagePresenter
from chatapp.timeline import TimelineMessage

ANSWER = TimelineMessage(
    conversation=GENERAL,
    id=1,
    seq=1,
    version=1,
    sender=None,
    sender_type="assistant",
    sender_name="Helper",
    content="an answer",
    created_at=datetime(2026, 1, 1, tzinfo=UTC),
    answer_state="complete",
)

PICTURE = AssistantPicture("helper", assistant_ref(2), "a" * 64)


def test_an_answer_shows_the_picture_of_its_assistant_also_if_it_was_shown_before(presenter: MessagePresenter) -> None:
    without = presenter.present(ANSWER).html
    assert "<img" not in without
    presenter.set_assistant_pictures([PICTURE, AssistantPicture("former", assistant_ref(3), "b" * 64)])
    presented = presenter.present(ANSWER)
    assert f'<img src="/conversations/assistant_2/avatar/{"a" * 64}"' in presented.html
    presenter.set_assistant_pictures([PICTURE, AssistantPicture("former", assistant_ref(3), "b" * 64)])
    assert presenter.present(ANSWER) is presented, "the cache stays"
    presenter.set_assistant_pictures([])
    assert presenter.present(ANSWER).html == without
