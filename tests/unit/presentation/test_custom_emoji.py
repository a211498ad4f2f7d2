"""Custom emoji in messages and reactions, which change when an emoji is added or deleted."""

from dataclasses import replace
from datetime import UTC, datetime

from chatapp.conversations.people import Person
from chatapp.conversations.refs import GENERAL
from chatapp.custom_emoji.queries import EmojiImage
from chatapp.markdown.rendering import GrowingMarkdown
from chatapp.presentation.emoji import present_emoji, render_emoji
from chatapp.presentation.messages import MessagePresenter, render_body
from chatapp.timeline import TimelineMessage
from chatapp.timeline.messages import ReactionGroup

ANA = Person(1, "ana", "Ana")

BLOBCAT = EmojiImage("blobcat", "a" * 64, 128, 64, is_animated=False)

DANCING = replace(BLOBCAT, name="dancing+1", is_animated=True)

IMAGE = (
    f'<img class="custom-emoji" src="/emoji/{"a" * 64}" alt=":blobcat:" title=":blobcat:" width="128" height="64" '
    'decoding="async">'
)

MARKED = f'<span data-emoji="blobcat">{IMAGE}</span>'

MESSAGE = TimelineMessage(
    conversation=GENERAL,
    id=1,
    seq=1,
    version=1,
    sender=ANA,
    content="look, a :blobcat:",
    created_at=datetime(2026, 1, 1, tzinfo=UTC),
    reactions=(ReactionGroup(":blobcat:", (ANA,)), ReactionGroup("👍", (ANA,))),
)


def test_a_message_shows_the_emoji_that_exist_also_if_it_was_shown_before(presenter: MessagePresenter) -> None:
    without = presenter.present(MESSAGE).html
    assert 'look, a <span data-emoji="blobcat">:blobcat:</span></p>' in without, "pages find it when it is added"
    assert '><span data-emoji="blobcat">:blobcat:</span> <span' in without
    presenter.set_custom_emoji([BLOBCAT])
    html = presenter.present(MESSAGE).html
    assert f"look, a {MARKED}</p>" in html
    image = MARKED.replace(' title=":blobcat:"', "")
    assert f">{image} <span" in html, "the title of the button has the people who reacted"
    assert 'data-reaction=":blobcat:"' in html
    assert ">👍 <span" in html
    assert "<template data-source>look, a :blobcat:</template>" in html
    presenter.set_custom_emoji([])
    assert presenter.present(MESSAGE).html == without


def test_the_cache_stays_while_the_emoji_are_the_same(presenter: MessagePresenter) -> None:
    presenter.set_custom_emoji([BLOBCAT])
    presented = presenter.present(MESSAGE)
    presenter.set_custom_emoji([BLOBCAT])
    assert presenter.present(MESSAGE) is presented


def test_a_message_of_custom_emoji_alone_is_large_while_they_exist(presenter: MessagePresenter) -> None:
    message = replace(MESSAGE, content=":blobcat: :tada:", reactions=())
    for images, is_large in (([], False), ([BLOBCAT], True), ([DANCING], False)):
        presenter.set_custom_emoji(images)
        assert ("is-few-emoji" in presenter.present(message).html) == is_large
    presenter.set_custom_emoji([BLOBCAT])
    assert "is-few-emoji" not in presenter.present(replace(message, deleted_at=message.created_at)).html


def test_an_action_shows_emoji_and_a_public_page_shows_their_names(presenter: MessagePresenter) -> None:
    presenter.set_custom_emoji([BLOBCAT])
    action = replace(MESSAGE, content="/me sees a :blobcat:")
    assert f"sees a {MARKED}" in presenter.present(action).html
    assert "sees a :blobcat:</p>" in render_body(action).html


def test_an_animated_emoji_stands_still_for_people_who_want_less_motion() -> None:
    html = render_emoji(DANCING)
    still = f'media="(prefers-reduced-motion: reduce)" srcset="/emoji/{"a" * 64}?size=small"'
    assert html.startswith(f"<picture><source {still}><img ")
    assert 'alt=":dancing+1:"' in html
    assert present_emoji(DANCING)["still_url"] == f"/emoji/{'a' * 64}?size=small"
    assert present_emoji(BLOBCAT)["still_url"] == f"/emoji/{'a' * 64}"


def test_a_text_without_markup_shows_emoji_and_is_escaped(presenter: MessagePresenter) -> None:
    presenter.set_custom_emoji([BLOBCAT])
    assert presenter.render_text("<b> :blobcat: :other:") == (
        f'&lt;b&gt; {MARKED} <span data-emoji="other">:other:</span>'
    )


def test_a_growing_answer_shows_emoji(presenter: MessagePresenter) -> None:
    presenter.set_custom_emoji([BLOBCAT])
    _, blocks = GrowingMarkdown().grow("look, a :blobcat:")
    assert presenter.render_answer(blocks) == f'<div class="block"><p>look, a {MARKED}</p>\n</div>'
