"""Searching messages: what is found, what nobody else finds, and that the index is always that of the messages."""

import threading
import uuid
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from functools import partial

import pytest
from flask import Flask
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Executable, func, insert, select, update
from sqlalchemy import delete as delete_rows
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from chatapp.accounts.service import create_owner, create_user
from chatapp.actors import Actor
from chatapp.assistants.answer_queue import claim_jobs, finish_job, save_progress
from chatapp.assistants.service import delete_session, start_session
from chatapp.config import current_settings
from chatapp.conversations.kinds import Direct, Room
from chatapp.conversations.policy import may_read
from chatapp.conversations.queries import find_conversation
from chatapp.conversations.refs import GENERAL, ConversationRef, room_ref
from chatapp.errors import ChatError, TooComplex
from chatapp.extensions import db
from chatapp.files.attached import AttachedFile
from chatapp.files.rows import fetch_files
from chatapp.models import Conversation, Membership, Message, SavedMessage, User
from chatapp.rooms.service import remove
from chatapp.search import checking, filling, index, tokens
from chatapp.search.checking import compare_tokens, find_differences
from chatapp.search.filling import catch_up, complete_index, fill, restart
from chatapp.search.index import (
    BARRIER,
    IndexedMessage,
    get_position,
    get_tokenizer,
    index_rows,
    list_tokens,
    remove_messages,
)
from chatapp.search.query import Phrase, parse_query
from chatapp.search.tokens import TOKENIZER_VERSION
from chatapp.storage import Transaction, read_natively, write
from chatapp.timeline import delete, edit, event_numbers, pin, post, react, search_plan, store_bot_message, undelete
from chatapp.timeline import search as timeline_search
from chatapp.timeline.archive.files import current_archive
from chatapp.timeline.archive.restoring import restore
from chatapp.timeline.cleanup import delete_archive, delete_conversation, plan_clearing, plan_trim, trim
from chatapp.timeline.index_search import MAX_COUNT
from chatapp.timeline.search import MAX_WAITING_SEARCHES, count_messages, find_messages
from chatapp.timeline.search_plan import MAX_SELECTED, plan_search
from tests.harness.files import PHOTO, TEXT_FILE
from tests.harness.waiting import eventually

ANA, BOB = Actor(1), Actor(2)


@pytest.fixture(autouse=True)
def people(app: Flask) -> None:
    create_owner("ana", "Ana", "a good password")
    create_user("bob", "Bob", "a good password", is_admin=False)
    create_user("eve", "Eve", "a good password", is_admin=False)


def say(content: str, ref: ConversationRef = GENERAL, actor: Actor = ANA, thread_seq: int | None = None) -> int:
    message = post(ref, actor, content=content, client_id=str(uuid.uuid4()), thread_seq=thread_seq)
    return message.seq or 0


def new_room(*members: Actor, name: str = "Room", visibility: str = "private") -> ConversationRef:
    def change(transaction: Transaction) -> int:
        room = Room.new(name=name, visibility=visibility)
        transaction.session.add(room)
        transaction.session.flush()
        for member in members:
            role = "manager" if member is members[0] else "member"
            transaction.session.add(Membership(conversation_id=room.id, user_id=member.user_id, role=role))
        return room.id

    return room_ref(write(change))


def insert_messages(ref: ConversationRef, content: str, count: int) -> None:
    """Insert many equal messages at once, and index them."""

    def change(transaction: Transaction) -> None:
        last = select(func.coalesce(func.max(Message.seq), 0)).where(Message.conversation_id == ref.id)
        first = transaction.session.execute(last).scalar_one() + 1
        rows = [
            {"conversation_id": ref.id, "seq": seq, "version": seq, "sender_id": 1, "content": content}
            for seq in range(first, first + count)
        ]
        transaction.session.execute(insert(Message), rows)
        query = select(Message).where(Message.conversation_id == ref.id, Message.seq >= first)
        index_rows(transaction.session, transaction.session.scalars(query.order_by(Message.id)))

    write(change)


def search(text: str, actor: Actor = ANA, **options: object) -> list[str]:
    db.session.rollback()
    return [hit.message.content for hit in find_messages(actor, text, **options).hits]  # type: ignore[arg-type]


def check_index() -> None:
    """Check that the index has exactly the messages that exist, with their tokens."""
    db.session.rollback()
    assert not compare_tokens(db.session(), lambda _count: None)


CASES = [
    ("English", "The deployment failed", "deployment", True),
    ("case", "The DEPLOYMENT failed", "Deployment", True),
    ("beginning of the last word", "The deployment failed", "failed depl", True),
    ("end of a word", "The deployment failed", "ployment", False),
    ("phrase", "blue green deployment", '"blue green"', True),
    ("phrase that is being typed", "blue green deployment", '"blue green dep', True),
    ("words in another order", "green blue deployment", '"blue green"', False),
    ("excluded word", "blue green", "blue -green", False),
    ("German", "Die Straße ist naß", "strasse", True),
    ("German umlaut", "Schöne Grüße", "grusse", True),
    ("French", "Déjà vu à l'école", "deja ecole", True),
    ("Polish", "Witaj w Łodzi", "lodzi", True),
    ("Turkish", "İstanbul", "istanbul", True),
    ("Greek", "Καλημέρα κόσμε", "καλημερα", True),
    ("Russian", "Всё хорошо", "все", True),
    ("Arabic", "السَّلَامُ عَلَيْكُمْ", "السلام", True),
    ("Hebrew", "שָׁלוֹם", "שלום", True),
    ("Hindi", "नमस्ते दुनिया", "नमस्ते", True),
    ("Hindi without its vowel sign", "की", "का", False),
    ("Chinese", "我住在东京都的北边", "东京都", True),
    ("Chinese, one character", "我住在东京都的北边", "京", True),
    ("Chinese, the last character", "我住在北边", "边", True),
    ("Chinese, other order", "京东", "东京", False),
    ("Japanese", "明日カメラを買います", "カメラ", True),
    ("Japanese in half width", "明日ｶﾒﾗを買います", "カメラ", True),
    ("Korean", "학교에서 만나요", "학교", True),
    ("Thai", "สวัสดีครับทุกคน", "ครับ", True),
    ("Burmese", "မင်္ဂလာပါ", "ဂလာ", True),
    ("Khmer", "សួស្តី", "សួស", True),
    ("Lao", "ສະບາຍດີ", "ບາຍ", True),
    ("full width", "ＡＢＣ１２３", "abc123", True),
    ("snake_case, a part", "call read_messages_by_id now", "messages", True),
    ("snake_case, the whole", "call read_messages_by_id now", "read_messages_by_id", True),
    ("snake_case, parts apart", "read the messages by id", "read_messages", False),
    ("camelCase, a part", "call readMessages now", "messages", True),
    ("camelCase, the whole in lower case", "call readMessages now", "readmessages", True),
    ("camelCase for snake_case", "call read_messages now", "readMessages", True),
    ("acronym", "parse HTTPServer", "server", True),
    ("e-mail address", "write to ana.b@example.com", "ana.b@example.com", True),
    ("domain", "write to ana.b@example.com", "example.com", True),
    ("URL", "see https://example.com/docs/Setup?a=1", "example.com/docs", True),
    ("number with separators", "it costs 1,234,567 today", "1234567", True),
    ("number without separators", "it costs 1234567 today", "1,234,567", True),
    ("number with points", "es kostet 1.234.567", "1234567", True),
    ("number with spaces", "il coûte 1 234 567", "1234567", True),
    ("decimal number", "version 3.14", "3.14", True),
    ("emoji", "well done 👍🏽", "👍", True),
    ("emoji with variation selector", "love ❤️", "❤", True),
    ("flag", "🇩🇪🇫🇷", "🇫🇷", True),
    ("part of a flag", "🇩🇪🇫🇷", "🇪🇫", False),
    ("combining accent", "cafe\u0301", "café ", True),
    ("emoji that is newer than Python's Unicode data", "shaking 🫨 face", "🫨", True),
    ("another new emoji", "shaking 🫨 face", "🫩", False),
    ("family of emoji", "my 👨‍👩‍👧", "👨‍👩‍👧", True),
    ("arrow", "a → b", "→", True),
    ("currency sign", "it costs 5 €", "€", True),
    ("amount with currency", "it costs $1,234", "$1,234", True),
    ("amount with currency for one without separators", "it costs 1234", "$1,234", True),
    ("amount without its currency", "it costs $1,234", "1234", True),
    ("C++", "I like C++.", "c++", True),
    ("C++ with a version", "we use C++17 here", "c++", True),
    ("C++ is not C", "I like plain C", "c++", False),
    ("C# is not C++", "I like C++", "c#", False),
    ("C#", "C# or F#?", "c#", True),
    ("C++ by its letter", "I like C++", '"c"', True),
    ("C++ beside a word", "the C++ compiler", "c++ compiler", True),
    ("apostrophe", "I don't know", "don't", True),
    ("typographic apostrophe", "I don’t know", "don't", True),
    ("modifier letter as apostrophe", "I donʼt know", "don’t", True),
    ("without the apostrophe", "I don't know", "dont", True),
    ("apostrophe for a word without", "I dont know", "don't", True),
    ("possessive", "Ana's idea", "ana", True),
    ("name with an apostrophe", "ask O'Brien", "obrien", True),
    ("hyphen", "send an e-mail", "e-mail", True),
    ("without the hyphen", "send an e-mail", "email", True),
    ("hyphen for a word without", "send an email", "e-mail", True),
    ("spaces for hyphens", "a state-of-the-art design", '"state of the art"', True),
    ("part of a hyphenated word", "a blue-green deployment", "green", True),
    ("version", "released v1.2.3 today", "v1.2.3", True),
    ("version without its letter", "released v1.2.3 today", "1.2.3", True),
    ("part of a version", "released v1.2.3 today", "v1.2", True),
    ("another version", "released v1.2.3 today", "1.3", False),
    ("number of a word", "see PR123", "123", True),
    ("word with a number, separated", "see PR123", "PR-123", True),
    ("word with a number, joined", "see PR 123", "pr123", True),
    ("word with a number, the whole", "use UTF8 or utf-8", "utf8", True),
    ("guillemets", "il dit «bonjour»", "bonjour", True),
    ("German quotation marks", "er sagt „hallo“", "hallo", True),
    ("channel", "see #random-talk", "#random-talk", True),
    ("channel without its sign", "see #random", "random", True),
    ("mention", "hello @ana", "@ana", True),
    ("mention without its sign", "hello @ana", "ana", True),
    ("host of a URL", "https://docs.example.com:8080/Setup/intro.html", "docs.example.com", True),
    ("domain of a URL", "https://docs.example.com:8080/Setup/intro.html", "example.com", True),
    ("word in the path of a URL", "https://docs.example.com:8080/Setup/intro.html", "setup", True),
    ("file name", "open report-2026.final.pdf", "report-2026.final.pdf", True),
    ("Korean word with a particle", "서울에서 회의를 합니다", "서울", True),
    ("Korean word for another one", "서울에서 회의를 합니다", "서에", False),
    ("Thai word in the middle", "ฉันชอบกินข้าวผัด", "ข้าว", True),
    ("Arabic without hamza", "أحمد في الإدارة", "احمد الادارة", True),
    ("Arabic final letters", "مدرسة على", "مدرسه علي", True),
    ("Arabic digits", "الغرفة ١٢٣", "123", True),
    ("Persian letters", "کتاب یک", "كتاب", True),
    ("Hebrew with marks, searched with marks", "שלום", "שָׁלוֹם", True),
    ("sharp s in capitals", "STRAẞE", "straße", True),
    ("ss for sharp s", "Strasse", "Straße", True),
    ("Turkish dotless i", "ışık", "isik", True),
    ("Turkish capital I", "IŞIK", "ışık", True),
    ("Vietnamese", "Đường Nguyễn Huệ", "duong nguyen hue", True),
    ("ligature", "eﬃcient", "efficient", True),
    ("zero-width space", "foo\u200bbar", "foobar", True),
    ("soft hyphen", "Donau\u00addampf", "donaudampf", True),
    ("punctuation only", "really?!", "?!", False),
    ("quotation marks of SQL", 'it\'s "quoted"', "it's", True),
    ("operators of full-text search", "a AND b OR NEAR(c)", "NEAR(c) AND", True),
]


@pytest.mark.parametrize("is_complete", [False, True])
def test_words_are_found_as_a_person_expects(*, is_complete: bool) -> None:
    texts = dict.fromkeys(text for _, text, _, _ in CASES)
    for text in texts:
        say(text)
    if is_complete:
        complete()
    wrong = [
        f"{name}: “{query}” in “{text}”"
        for name, text, query, is_found in CASES
        if (text in search(query, limit=100)) != is_found
    ]
    assert not wrong
    check_index()


def test_the_newest_messages_are_first_and_pages_follow_each_other() -> None:
    for number in range(7):
        say(f"word {number}")
    first = find_messages(ANA, "word", limit=3)
    second = find_messages(ANA, "word", limit=3, before=first.next)
    third = find_messages(ANA, "word", limit=3, before=second.next)
    contents = [hit.message.content for page in (first, second, third) for hit in page.hits]
    assert contents == [f"word {number}" for number in range(6, -1, -1)]
    assert third.next is None
    assert count_messages(ANA, "word") == 7


def test_the_best_messages_are_first_on_request() -> None:
    say("needle needle needle")
    say("a needle in a very long text that mentions it only once, among many other words")
    assert search("needle", order="best")[0] == "needle needle needle"
    page = find_messages(ANA, "needle", order="best", limit=1)
    following = find_messages(ANA, "needle", order="best", limit=1, before=page.next)
    assert following.hits[0].message.content.startswith("a needle")
    assert following.next is None


def test_the_order_of_the_best_does_not_tell_how_often_others_use_a_word() -> None:
    for text in ("alpha alpha alpha beta", "alpha beta beta beta", "alpha beta gamma delta"):
        say(text)
    found = search("alpha beta", order="best")
    assert found[-1] == "alpha beta gamma delta"
    secret = new_room(Actor(3))
    for word, number in (("alpha", 600), ("beta", 2_400)):
        insert_messages(secret, f"{word} and so on", number)
        assert search("alpha beta", order="best") == found


def test_the_best_without_words_are_the_newest() -> None:
    for number in range(3):
        say(f"word {number}")
    first = find_messages(ANA, "from:me", order="best", limit=2)
    second = find_messages(ANA, "from:me", order="best", limit=2, before=first.next)
    assert [hit.message.content for page in (first, second) for hit in page.hits] == ["word 2", "word 1", "word 0"]


@pytest.mark.parametrize("order", ["newest", "best"])
def test_any_number_is_accepted_as_the_beginning_of_a_page(order: str) -> None:
    say("word")
    assert search("word", before=2**63 - 1, order=order) == (["word"] if order == "newest" else [])
    assert search("word", before=0, order=order) == ([] if order == "newest" else ["word"])


def test_hits_are_counted_up_to_a_limit() -> None:
    insert_messages(GENERAL, "many", MAX_COUNT + 10)
    assert count_messages(ANA, "many") == MAX_COUNT + 1


def test_a_search_that_takes_too_long_is_ended(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    insert_messages(GENERAL, "many words", 4_000)
    short = current_settings().model_copy(update={"search_timeout_seconds": 0.001})
    monkeypatch.setattr("chatapp.storage.engines.current_settings", lambda: short)
    with pytest.raises(TooComplex, match="rarer words"):
        find_messages(ANA, "many words", order="best")
    db.session.rollback()
    monkeypatch.undo()
    assert len(search("many words", order="best")) == 20


def test_each_login_searches_once_at_a_time(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    say("word")
    running, end = threading.Event(), threading.Event()
    results: list[object] = []

    def hold(*_arguments: object, **_options: object) -> int:
        running.set()
        assert end.wait(20)
        return 1

    def run() -> None:
        with app.app_context():
            try:
                results.append(count_messages(ANA, "word"))
            except ChatError as error:
                results.append(error.code)

    monkeypatch.setattr("chatapp.timeline.search.read_natively", hold)
    threads = [threading.Thread(target=run) for _ in range(MAX_WAITING_SEARCHES + 2)]
    threads[0].start()
    assert running.wait(20)
    for thread in threads[1:]:
        thread.start()
    eventually(lambda: results == ["rate_limited"], "the one that waits longest is refused")
    # Others do not wait.
    assert search("word", BOB) == ["word"]
    end.set()
    for thread in threads:
        thread.join()
    assert results == ["rate_limited", *[1] * (MAX_WAITING_SEARCHES + 1)]


def test_filters_select_senders_and_conversations() -> None:
    room = new_room(ANA, BOB, name="My Room")
    say("word by ana")
    say("word by bob", actor=BOB)
    say("word in room", room, BOB)
    assert search("word from:bob") == ["word in room", "word by bob"]
    assert search("word from:me", BOB) == ["word in room", "word by bob"]
    assert search("word -from:@bob") == ["word by ana"]
    assert search("word from:nobody") == []
    assert search(f"in:{room.wire_name}") == ["word in room"]
    assert search('in:"my room"') == search("in:#My-Room") == ["word in room"]
    assert search("word -in:general") == ["word in room"]
    assert search("word in:elsewhere") == []


def test_filters_select_people_of_direct_conversations() -> None:
    def change(transaction: Transaction) -> Conversation:
        conversation = Direct.new(direct_key="1:2")
        transaction.session.add(conversation)
        transaction.session.flush()
        transaction.session.add_all(Membership(conversation_id=conversation.id, user_id=each) for each in (1, 2))
        return conversation

    ref = ConversationRef.of(write(change))
    say("word in private", ref)
    say("word in general")
    assert search("word with:bob") == search("word in:@bob") == ["word in private"]
    assert search("word with:eve") == []
    assert search("word with:ana", BOB) == ["word in private"]
    assert search("word -with:bob") == ["word in general"]


def test_filters_compare_names_without_case_and_accents() -> None:
    create_user("zoe", "Zoë Ünal", "a good password", is_admin=False)
    zoe = Actor(4)

    def change(transaction: Transaction) -> Conversation:
        conversation = Direct.new(direct_key="1:4")
        transaction.session.add(conversation)
        transaction.session.flush()
        transaction.session.add_all(Membership(conversation_id=conversation.id, user_id=each) for each in (1, 4))
        return conversation

    ref = ConversationRef.of(write(change))
    room = new_room(ANA, zoe, name="Schöne Räume")
    say("word in private", ref, zoe)
    say("word in room", room, zoe)
    say("word by ana")
    for name in ('"Zoë Ünal"', '"zoe unal"', '"ZOË ÜNAL"', "Zoe", "@ZOE", '"@Zoë Ünal"'):
        assert search(f"word from:{name}") == ["word in room", "word in private"], name
        assert search(f"word with:{name}") == search(f"word in:{name}") == ["word in private"], name
    assert search("word from:Me") == search("word from:@ME") == ["word by ana"]
    assert search('word in:"schöne räume"') == search("word in:#SCHONE-RAUME") == ["word in room"]
    assert search("word in:#") == search("word with:@") == search("word from:@") == []


@pytest.fixture(params=[MAX_SELECTED, 0], ids=["few", "many"])
def max_selected(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """What filters select is listed, or asked of each message."""
    monkeypatch.setattr("chatapp.timeline.search_plan.MAX_SELECTED", request.param)


@pytest.mark.usefixtures("max_selected")
def test_filters_select_what_messages_have_and_are() -> None:
    link, code, plain = (say(text) for text in ("see https://a.example", "run `x y`", "plain for @ana"))
    say("a reply", thread_seq=plain)
    react(GENERAL, ANA, link, "👍", on=True)
    pin(GENERAL, ANA, code, on=True)
    write(lambda transaction: transaction.session.add(SavedMessage(user_id=1, conversation_id=1, seq=plain)))
    say("for @ana from bob", actor=BOB)
    assert search("has:link") == search("has:reaction") == ["see https://a.example"]
    assert search("has:code") == search("has:pin") == ["run `x y`"]
    assert search("has:thread") == search("is:saved") == ["plain for @ana"]
    assert search("is:thread") == ["a reply"]
    assert search("is:mention") == ["for @ana from bob"]
    assert search("is:unread") == ["for @ana from bob"]
    assert search("-has:link -has:code -is:thread -is:mention in:general") == ["plain for @ana"]
    assert search("is:unread from") == search("ana is:unread is:mention") == ["for @ana from bob"]
    assert search("ana -is:unread") == ["plain for @ana"]
    assert search("has:pin has:reaction") == search("is:unread", BOB, order="best")[5:] == []
    assert count_messages(BOB, "is:unread") == len(search("is:unread", BOB))


@pytest.mark.usefixtures("max_selected")
def test_what_is_excluded_is_not_found_by_filters_alone() -> None:
    root, code, saved = (say(text) for text in ("root", "run `x y` foo", "saved text"))
    say("mention @ana foo", actor=BOB)
    say("mention @ana bar", actor=BOB)
    say("a reply", thread_seq=root)
    for seq in (root, code, saved):
        pin(GENERAL, ANA, seq, on=True)
    assert search("has:pin -foo") == ["saved text", "root"]
    assert search("has:pin -foo -saved") == ["root"]
    assert search("has:pin -has:code") == ["saved text", "root"]
    assert search("has:pin -from:ana") == search("has:pin -from:me") == search("has:pin -in:general") == []
    assert search("is:mention -foo") == ["mention @ana bar"]
    assert search("before:2199 -foo has:pin") == ["saved text", "root"]
    assert count_messages(ANA, "has:pin -foo") == 2


def test_filters_alone_find_no_answer_that_is_still_written_and_no_empty_text() -> None:
    session = ConversationRef("assistant", start_session(ANA, "helper"))
    say("Hello", session)
    (job,) = claim_jobs(10, running=[])
    save_progress([(job, "half an")])
    write(
        lambda transaction: transaction.session.execute(
            update(Membership).where(Membership.conversation_id == session.id).values(last_read_seq=0)
        )
    )
    assert search("is:unread") == []
    finish_job(job, state="complete", content="half an answer")
    assert search("is:unread") == ["half an answer"]


def date_message(seq: int, moment: datetime) -> None:
    query = update(Message).where(Message.seq == seq).values(created_at=moment)
    write(lambda transaction: transaction.session.execute(query))


def set_now(monkeypatch: pytest.MonkeyPatch, moment: datetime) -> None:
    for module in (search_plan, timeline_search):
        monkeypatch.setattr(module, "now", lambda: moment)


def test_dates_select_messages(monkeypatch: pytest.MonkeyPatch) -> None:
    date_message(say("old word"), datetime(1999, 5, 1, tzinfo=UTC))
    date_message(say("spring word"), datetime(2026, 4, 30, 23, tzinfo=UTC))
    date_message(say("new word"), datetime(2026, 11, 29, 23, 59, tzinfo=UTC))
    set_now(monkeypatch, datetime(2026, 11, 29, 12, tzinfo=UTC))
    restart()
    list(fill(db.session()))
    assert search("word before:2026-04-30") == ["old word"]
    assert search("word on:2026-04-30") == search("during:2026-04") == ["spring word"]
    assert search("word during:today") == search("word after:2026-05") == ["new word"]
    assert search("word on:2026-05-01", zone=timezone(timedelta(hours=2))) == ["spring word"]
    set_now(monkeypatch, datetime(2026, 11, 30, tzinfo=UTC))
    assert search("word during:today") == []
    assert search("word during:yesterday") == search("word during:last-week") == ["new word"]
    assert search("word during:today", zone=timezone(timedelta(hours=1))) == ["new word"]
    assert search("word during:1999") == ["old word"]


def test_only_members_find_what_was_posted_to_a_private_room() -> None:
    room = new_room(ANA, BOB)
    say("secret word", room)
    assert search("secret", BOB) == ["secret word"]
    assert search("secret", Actor(3)) == []
    assert count_messages(Actor(3), "secret") == 0
    remove(ANA, room.id, BOB.user_id)
    assert search("secret", BOB) == search(f"in:{room.wire_name}", BOB) == []


def test_messages_of_open_rooms_are_found_by_members_only() -> None:
    room = new_room(ANA, visibility="open")
    say("public word", room)
    assert search("public") == ["public word"]
    assert search("public", BOB) == []


def test_edited_and_deleted_texts_are_not_found_any_more() -> None:
    seq = say("first text")
    edit(GENERAL, ANA, seq, content="second text")
    assert (search("first"), search("second")) == ([], ["second text"])
    delete(GENERAL, ANA, seq)
    assert search("second") == []
    check_index()
    undelete(GENERAL, ANA, seq)
    assert search("second") == ["second text"]
    check_index()


def test_messages_of_bots_are_found() -> None:
    def change(transaction: Transaction) -> None:
        conversation = transaction.session.get_one(Conversation, GENERAL.id)
        store_bot_message(transaction, conversation, "CI Bot", "build broken", None)

    write(change)
    assert search("build") == search('from:"CI Bot"') == ["build broken"]


def test_answers_are_found_when_they_are_complete() -> None:
    session = ConversationRef("assistant", start_session(ANA, "helper"))
    say("Hello", session)
    (job,) = claim_jobs(10, running=[])
    save_progress([(job, "half an")])
    assert search("half") == []
    finish_job(job, state="complete", content="half an answer")
    assert search("half") == search("from:helper answer") == ["half an answer"]
    assert search("half", BOB) == []
    check_index()
    delete_session(ANA, session.id)
    assert search("half") == []
    check_index()


def test_what_a_cleanup_removes_is_not_found_and_a_restore_brings_it_back() -> None:
    for number in range(5):
        say(f"word {number}")
    general = find_conversation(db.session(), GENERAL)
    assert general is not None
    list(trim(plan_trim(db.session(), general, 2)))
    assert search("word") == ["word 4", "word 3"]
    check_index()
    say("word 5")
    (run,) = current_archive().list_runs(GENERAL)
    list(restore(run))
    # What is restored has its place in the order again.
    assert search("word") == [f"word {number}" for number in (5, 4, 3, 2, 1, 0)]
    check_index()
    db.session.rollback()
    general = find_conversation(db.session(), GENERAL)
    assert general is not None
    list(trim(plan_clearing(general)))
    assert search("word") == []
    check_index()


def test_the_index_is_rebuilt_in_batches() -> None:
    for number in range(5):
        say(f"word {number}")
    restart(is_emptied=True)
    page = find_messages(ANA, "word")
    assert (page.hits, page.is_indexing) == ([], True)
    list(fill(db.session()))
    page = find_messages(ANA, "word")
    assert (len(page.hits), page.is_indexing) == (5, False)
    check_index()


def write_as_before_the_index(*statements: Executable) -> None:
    """Write events of the general chat as a process does that knows nothing of the index."""

    def change(transaction: Transaction) -> None:
        for statement in statements:
            transaction.session.execute(statement)
            count = {"last_event": Conversation.last_event + 1}
            transaction.session.execute(update(Conversation).where(Conversation.id == GENERAL.id).values(count))

    write(change)


def complete() -> None:
    """Do what a server does in the background."""
    db.session.rollback()
    complete_index(db.session())


def test_what_an_older_process_writes_is_indexed_afterwards() -> None:
    edited, deleted = say("first text"), say("second text")
    write_as_before_the_index(
        update(Message).where(Message.seq == edited).values(content="edited text", version=3),
        update(Message).where(Message.seq == deleted).values(content="", deleted_at=datetime.now(UTC), version=4),
        *(
            insert(Message).values(conversation_id=1, seq=seq, version=seq, sender_id=1, content=f"old {seq}")
            for seq in range(5, 60)
        ),
    )
    say("a text of this process")
    complete()
    assert (search("first"), search("second"), search("edited")) == ([], [], ["edited text"])
    assert len(search("old", limit=100)) == 55
    check_index()
    say("another text")
    assert catch_up(db.session()) == 0


def set_tokenizer(monkeypatch: pytest.MonkeyPatch, version: int) -> None:
    """Let this process behave as one of another version, with other tokens, until the patch is undone."""
    for module in (index, filling, event_numbers, search_plan):
        monkeypatch.setattr(module, "TOKENIZER_VERSION", version)


def test_a_newer_tokenizer_indexes_all_messages_again(monkeypatch: pytest.MonkeyPatch) -> None:
    say("first text")
    complete()
    set_tokenizer(monkeypatch, TOKENIZER_VERSION + 1)
    say("second text")
    assert get_tokenizer(db.session.connection()) == TOKENIZER_VERSION
    complete()
    assert get_tokenizer(db.session.connection()) == TOKENIZER_VERSION + 1
    monkeypatch.undo()
    # An older process beside it.
    say("third text")
    complete()
    assert get_tokenizer(db.session.connection()) == TOKENIZER_VERSION + 1
    conversation = db.session.get_one(Conversation, GENERAL.id, populate_existing=True)
    assert (conversation.indexed_event, conversation.indexed_tokenizer) == (2, TOKENIZER_VERSION + 1)
    check_index()


def test_a_process_stops_filling_the_index_when_a_newer_one_has_begun_to(monkeypatch: pytest.MonkeyPatch) -> None:
    say("first text")
    restart()
    batch = filling.read_batch(db.session())
    assert batch is not None
    set_tokenizer(monkeypatch, TOKENIZER_VERSION + 1)
    position = restart()
    assert position == batch.position
    monkeypatch.undo()
    assert write(partial(filling.index_batch, batch)) == 0
    assert get_position(db.session.connection()) == position
    assert not filling.is_filled(db.session())


def test_a_process_stops_catching_up_when_a_newer_one_has_begun_to(monkeypatch: pytest.MonkeyPatch) -> None:
    say("first text")
    complete()
    set_tokenizer(monkeypatch, TOKENIZER_VERSION + 1)
    complete()
    monkeypatch.undo()
    assert write(partial(filling.index_changed, GENERAL.id)) == catch_up(db.session()) == 0
    conversation = db.session.get_one(Conversation, GENERAL.id, populate_existing=True)
    assert (conversation.indexed_event, conversation.indexed_tokenizer) == (1, TOKENIZER_VERSION + 1)


def uses_pairs(text: str) -> bool:
    db.session.rollback()
    plan = plan_search(db.session(), ANA, parse_query(text, today=datetime.now(UTC).date()))
    return plan is not None and plan.expression.uses_pairs


def test_phrases_are_found_in_an_index_without_pairs(monkeypatch: pytest.MonkeyPatch) -> None:
    def become_older() -> None:
        set_tokenizer(monkeypatch, TOKENIZER_VERSION - 1)
        monkeypatch.setattr(index, "pair_tokens", lambda _tokens: [])

    become_older()
    say("a blue green deployment")
    complete()
    monkeypatch.undo()
    phrase = '"blue green"'
    assert (len(search(phrase)), uses_pairs(phrase)) == (1, False)
    say("another blue green deployment")
    assert filling.adopt_tokenizer(db.session())
    assert (len(search(phrase)), uses_pairs(phrase)) == (2, False)
    complete()
    assert (len(search(phrase)), uses_pairs(phrase)) == (2, True)
    assert not uses_pairs("blue green")
    # An older process beside it.
    become_older()
    say("the last blue green deployment")
    monkeypatch.undo()
    assert (len(search(phrase)), uses_pairs(phrase)) == (3, False)
    complete()
    assert (len(search(phrase)), uses_pairs(phrase)) == (3, True)
    check_index()


def test_the_longest_phrase_is_found() -> None:
    words = ("a b " * 125).strip()
    say(words)
    complete()
    assert search(f'"{words}') == [words]


def test_what_an_older_process_writes_is_indexed_while_the_index_is_filled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(filling, "BATCH_CHARS", 1)
    monkeypatch.setattr(filling, "CATCH_UP_SECONDS", 0)
    for number in range(3):
        say(f"message {number}")
    restart(is_emptied=True)
    positions = fill(db.session())
    assert next(positions) == 3
    old = insert(Message).values(conversation_id=1, seq=4, version=4, sender_id=1, content="old text")
    write_as_before_the_index(old)
    assert search("old") == []
    assert next(positions) == 2
    assert search("old") == ["old text"]
    list(positions)
    check_index()


def test_the_index_can_be_rebuilt_while_it_is_searched_and_written() -> None:
    kept, edited, removed = (say(f"word {number}") for number in range(3))
    restart()
    assert len(search("word")) == 3
    batch = filling.read_batch(db.session())
    assert batch is not None
    edit(GENERAL, ANA, edited, content="another text")
    delete(GENERAL, ANA, removed)
    say("word 4")
    assert write(partial(filling.index_batch, batch)) == 0
    # Another process has read the same messages.
    assert write(partial(filling.index_batch, batch)) == 0
    assert (kept, search("word")) == (1, ["word 4", "word 0"])
    check_index()


def test_messages_whose_version_changes_while_they_are_indexed_are_not_skipped() -> None:
    reacted, answered, pinned = (say(f"word {number}") for number in range(3))
    restart(is_emptied=True)
    batch = filling.read_batch(db.session())
    assert batch is not None
    react(GENERAL, BOB, reacted, "👍", on=True)
    say("a reply", thread_seq=answered)
    pin(GENERAL, ANA, pinned, on=True)
    assert write(partial(filling.index_batch, batch)) == 0
    assert search("word") == ["word 2", "word 1", "word 0"]
    check_index()


def test_batches_are_limited_by_their_characters(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(filling, "BATCH_CHARS", 15)
    for number in range(7):
        say(f"message {number}")
    restart(is_emptied=True)
    assert list(fill(db.session())) == [6, 4, 2]
    check_index()


def test_rows_that_a_batch_has_no_room_for_are_not_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(filling, "BATCH_CHARS", 15)
    reads = []

    def count_reads(session: Session, read: Callable[[Session], object], *, is_limited: bool = True) -> object:
        reads.append(read)
        return read_natively(session, read, is_limited=is_limited)

    seqs = [say(f"message {number}") for number in range(7)]
    restart(is_emptied=True)
    monkeypatch.setattr(filling, "read_natively", count_reads)
    positions = fill(db.session())
    assert next(positions) == 6
    # They may change before they are indexed.
    edit(GENERAL, ANA, seqs[3], content="another text")
    delete(GENERAL, ANA, seqs[2])
    react(GENERAL, BOB, seqs[1], "👍", on=True)
    assert list(positions) == [4, 2]
    assert len(reads) == 1
    check_index()


def test_batches_of_what_an_older_process_writes_are_limited_by_their_characters(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(filling, "BATCH_CHANGED_CHARS", 15)
    complete()
    write_as_before_the_index(
        *(
            insert(Message).values(conversation_id=1, seq=seq, version=seq, sender_id=1, content=f"message {seq}")
            for seq in range(1, 6)
        )
    )
    assert write(partial(filling.index_changed, GENERAL.id)) == 2
    assert catch_up(db.session()) == 3
    check_index()


def test_a_rebuild_removes_what_has_no_message() -> None:
    for number in range(4):
        say(f"word {number}")
    rows = [IndexedMessage(number, 1, 1, datetime.now(UTC), "word") for number in (2, 4, 9)]
    write(lambda transaction: transaction.session.execute(delete_rows(Message).where(Message.id.in_([2, 4]))))
    with suppress(ChatError, DBAPIError):  # PostgreSQL has a foreign key.
        write(lambda transaction: index.index_messages(transaction.session.connection(), rows))
    restart()
    list(fill(db.session()))
    check_index()


def test_more_differences_than_are_listed_are_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checking, "MAX_LISTED", 2)
    monkeypatch.setattr(checking, "IDS_AT_ONCE", 3)
    for number in range(8):
        say(f"word {number}")
    write(lambda transaction: remove_messages(transaction.session.connection(), range(3, 9)))
    write(
        lambda transaction: transaction.session.execute(
            update(Message).where(Message.id == 2).values(content="something else")
        )
    )
    db.session.rollback()
    found = compare_tokens(db.session(), lambda _count: None)
    assert (len(found.missing), found.surplus, found.different) == (2, [], [2])


def test_differences_of_the_index_are_named() -> None:
    for number in range(3):
        say(f"word {number}")
    write(lambda transaction: remove_messages(transaction.session.connection(), [1]))
    write(
        lambda transaction: transaction.session.execute(
            update(Message).where(Message.id == 2).values(content="something else")
        )
    )
    db.session.rollback()
    found = compare_tokens(db.session(), lambda _count: None)
    assert (found.missing, found.surplus, found.different) == ([1], [], [2])
    assert find_differences(db.session.connection()).missing == [1]


WORDS = ("alpha", "beta", "gamma", "deltaBeta", "東京都", "京都", "1,234", "👍")

SOME_WORDS = st.lists(st.sampled_from(WORDS), min_size=1, max_size=5)

FILES = (replace(PHOTO, name="alpha.jpg"), replace(TEXT_FILE, name="deltaBeta 京都.txt"))

SOME_FILES = st.lists(st.sampled_from(FILES), min_size=1, max_size=2)

ACTIONS = st.one_of(
    st.tuples(st.just("post"), st.integers(1, 3), st.integers(0, 3), SOME_WORDS),
    st.tuples(st.just("post files"), st.integers(1, 3), st.integers(0, 3), SOME_FILES),
    st.tuples(st.just("remove file"), st.integers(0, 20), st.sampled_from(FILES)),
    st.tuples(st.just("edit"), st.integers(0, 20), SOME_WORDS),
    st.tuples(st.just("reply"), st.integers(0, 20), st.integers(1, 3), SOME_WORDS),
    st.tuples(st.just("delete"), st.integers(0, 20)),
    st.tuples(st.just("undelete"), st.integers(0, 20)),
    st.tuples(st.sampled_from(["clear", "restore", "delete conversation"]), st.integers(0, 3)),
    st.tuples(st.just("trim"), st.integers(0, 3), st.integers(1, 5)),
    st.tuples(st.just("rename"), st.integers(1, 3), st.sampled_from(["other name", "third"])),
    st.tuples(st.just("join"), st.integers(1, 3), st.integers(1, 3)),
    st.tuples(st.just("leave"), st.integers(1, 3), st.integers(1, 3)),
)

QUERIES = st.lists(
    st.one_of(
        st.sampled_from(WORDS),
        st.sampled_from(["alp", "京", '"alpha beta"', '"beta gamma"', "-beta", "-alpha", "from:bob", "in:general"]),
        st.sampled_from(['in:"other name"', "in:third", "is:thread", "has:file", "-has:file"]),
    ),
    min_size=1,
    max_size=3,
).map(" ".join)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    actions=st.lists(ACTIONS, min_size=5, max_size=30),
    queries=st.lists(QUERIES, min_size=1, max_size=8),
    pairs=st.sampled_from([1, 2, tokens.PAIRS]),
)
def test_search_finds_exactly_what_a_scan_of_all_readable_messages_finds(
    monkeypatch: pytest.MonkeyPatch,
    actions: Sequence[tuple[object, ...]],
    queries: Sequence[str],
    pairs: int,
) -> None:
    write(_remove_everything)
    # With few of them, different pairs have the same token.
    monkeypatch.setattr(tokens, "PAIRS", pairs)
    complete()
    delete_archive(GENERAL)
    refs = [GENERAL, *(new_room(ANA, name=f"room {number}") for number in range(3))]
    for action in actions:
        with suppress(ChatError):  # Somebody who is no member.
            _perform(action, refs)
    check_index()
    for actor in (ANA, BOB, Actor(3)):
        for text in queries:
            db.session.rollback()
            expected = _scan(actor, text)
            found = [hit.message.id for hit in find_messages(actor, text, limit=100).hits]
            assert found == expected
            assert count_messages(actor, text) == len(expected)


def _remove_everything(transaction: Transaction) -> None:
    session = transaction.session
    remove_messages(session.connection(), session.scalars(select(Message.id)).all())
    session.execute(delete_rows(Message))
    session.execute(delete_rows(Conversation).where(Conversation.id != GENERAL.id))


def _perform(action: tuple[object, ...], refs: Sequence[ConversationRef]) -> None:
    match action:
        case ("post", int(user), int(index), list(words)):
            say(" ".join(map(str, words)), refs[index], Actor(user))
        case ("post files", int(user), int(index), list(files)):
            post(refs[index], Actor(user), content="", client_id=str(uuid.uuid4()), files=files)
        case ("edit" | "remove file" | "delete" | "undelete" | "reply", int(index), *_):
            if (found := _find(index)) is not None:
                _change_message(action, *found)
        case (_, int(index), *_):
            db.session.rollback()
            if find_conversation(db.session(), refs[index]) is not None:  # Otherwise it was deleted.
                _change_conversation(action, refs)


def _change_message(action: tuple[object, ...], ref: ConversationRef, sender: Actor, seq: int) -> None:
    match action:
        case ("edit", _, list(words)):
            edit(ref, sender, seq, content=" ".join(map(str, words)))
        case ("remove file", _, AttachedFile(digest=digest)):
            edit(ref, sender, seq, removed_files=[digest])
        case ("delete", _):
            delete(ref, sender, seq)
        case ("undelete", _):
            undelete(ref, sender, seq)
        case ("reply", _, int(user), list(words)):
            say(" ".join(map(str, words)), ref, Actor(user), thread_seq=seq)


def _change_conversation(action: tuple[object, ...], refs: Sequence[ConversationRef]) -> None:
    match action:
        case ("clear" | "trim", int(index), *keep):
            db.session.rollback()
            if (conversation := find_conversation(db.session(), refs[index])) is not None:
                plan = plan_trim(db.session(), conversation, int(str(keep[0]))) if keep else plan_clearing(conversation)
                list(trim(plan))
        case ("restore", int(index)):
            for run in current_archive().list_runs(refs[index]):
                list(restore(run))
        case ("delete conversation", int(index)) if index:
            write(lambda transaction: delete_conversation(transaction, refs[index].id))
        case ("rename", int(index), str(name)):
            renamed = update(Conversation).where(Conversation.id == refs[index].id).values(name=name)
            write(lambda transaction: transaction.session.execute(renamed))
        case ("join", int(index), int(user)):
            write(
                lambda transaction: transaction.session.merge(Membership(conversation_id=refs[index].id, user_id=user))
            )
        case ("leave", int(index), int(user)):
            is_member = (Membership.conversation_id == refs[index].id, Membership.user_id == user)
            write(lambda transaction: transaction.session.execute(delete_rows(Membership).where(*is_member)))


def _find(index: int) -> tuple[ConversationRef, Actor, int] | None:
    db.session.rollback()
    rows = db.session.execute(
        select(Message.conversation_id, Message.sender_id, Message.seq, Conversation.kind)
        .join(Conversation, Conversation.id == Message.conversation_id)
        .order_by(Message.id)
    ).all()
    if index >= len(rows):
        return None
    row = rows[index]
    return ConversationRef(row.kind, row.conversation_id), Actor(row.sender_id), row.seq


def _scan(actor: Actor, text: str) -> list[int]:
    """Return the ids of all messages that match, newest first, without the index."""
    query = parse_query(text, today=datetime.now(UTC).date())
    if query.is_empty():
        return []
    names = dict(db.session.execute(select(User.username, User.id)).all())
    places = set(query.list_values("in"))  # One of them is enough.
    found = []
    for message in db.session.scalars(select(Message).where(Message.deleted_at.is_(None)).order_by(Message.id.desc())):
        conversation = db.session.get_one(Conversation, message.conversation_id)
        membership = db.session.get(Membership, (message.conversation_id, actor.user_id))
        if not may_read(conversation, membership):
            continue
        files = [file.name for file in fetch_files(db.session(), [message.id]).get(message.id, ())]
        tokens = list_tokens(
            IndexedMessage(
                message.id, message.conversation_id, None, message.created_at, message.content, file_names=files
            )
        )
        if (
            all(any(_has(tokens, phrase) for phrase in term) for term in query.terms)
            and not any(_has(tokens, phrase) for term in query.excluded for phrase in term)
            and all(names[value] == message.sender_id for value in query.list_values("from"))
            and (not places or places & {conversation.wire_name, conversation.name.casefold()})
            and all(message.thread_root is not None for _ in query.list_values("is"))
            and all(files for _ in query.list_values("has"))
            and not any(files for _ in query.list_values("has", is_excluded=True))
        ):
            found.append(message.id)
    return found


def _has(tokens: Sequence[str], phrase: Phrase) -> bool:
    length = len(phrase.tokens)
    assert BARRIER not in phrase.tokens
    return any(
        tuple(tokens[index : index + length - 1]) == phrase.tokens[:-1]
        and (
            tokens[index + length - 1].startswith(phrase.tokens[-1])
            if phrase.is_prefix
            else tokens[index + length - 1] == phrase.tokens[-1]
        )
        for index in range(len(tokens) - length + 1)
    )
