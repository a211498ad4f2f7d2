"""Search in 1,000,000 messages, on SQLite and on PostgreSQL, against LIKE in the same database.

People in 3, 20 and 200 of 200 rooms search; the three rooms are the smallest ones. Measured is what a request computes
in the process of the server, with what the person may read, without HTTP: the newest 20 hits against LIKE, and the
newest ones, their number and the best ones against the goals. `--full` searches in 10,000,000 messages, `--only sqlite`
on one database.
"""

import random
import statistics
import tempfile
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache, partial
from itertools import accumulate
from multiprocessing import get_context
from pathlib import Path

import psycopg
from sqlalchemy import insert, select, text, update
from sqlalchemy.orm import Session

from bench.report import Figure
from chatapp import create_app
from chatapp.actors import Actor
from chatapp.config import Settings
from chatapp.conversations.kinds import Room
from chatapp.extensions import db
from chatapp.models import Conversation, Membership, User
from chatapp.models.conversations import GENERAL_ID
from chatapp.search.index import MERGE_SQLITE, IndexedMessage, count_merged_pages, format_vector, list_tokens
from chatapp.search.tokens import TOKENIZER_VERSION
from chatapp.storage import current_writer
from chatapp.timeline.search import count_messages, find_messages
from tests.harness.servers import Postgres, Server

MESSAGES = 1_000_000
FULL_MESSAGES = 10_000_000
ROOMS = 200
PEOPLE = {"3 rooms": range(ROOMS - 3, ROOMS), "20 rooms": range(5, ROOMS, 10), "200 rooms": range(ROOMS)}
"""The rooms of each person who searches. Those with higher numbers have fewer messages."""
SENDERS = 200
CHUNK = 20_000
"""Messages that are created and stored at once."""
MAX_WAITING_CHUNKS = 3
"""Chunks that are created before they are stored."""
DAYS = 730
TIME_FORMAT = "%Y-%m-%d %H:%M:%S.%f"
WORDS, HANZI_WORDS = 30_000, 4_000
HITS = 20
ROUNDS = 12
"""How often each of the texts of a query is searched."""
MAX_LIKE_SECONDS = 2.0
"""LIKE is repeated only within this time: it takes up to a minute."""
GOAL_MS = {"newest": 50, "count": 100, "best": 50}
"""The p99 of each kind of search."""
GOAL_BYTES = 200
DATABASES = ("sqlite", "postgresql")
_NAMES = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}

_SQLITE_MESSAGES = (
    "INSERT INTO messages (id, conversation_id, seq, version, sender_id, content, client_id, created_at, sender_type, "
    "message_type) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
_POSTGRESQL_MESSAGES = (
    b"COPY messages (id, conversation_id, seq, version, sender_id, content, client_id, created_at, sender_type, "
    b"message_type) FROM STDIN"
)
_SQLITE_PARTS = (
    "sum(length(block)) FROM message_search_data",
    "sum(length(term) + 8) FROM message_search_idx",
    "sum(length(sz) + 8) FROM message_search_docsize",
)
_LIKE = (
    "SELECT id FROM messages WHERE conversation_id IN ({rooms}) AND deleted_at IS NULL AND {conditions} "
    "ORDER BY id DESC LIMIT {limit}"
)


@dataclass(frozen=True, slots=True)
class Search:
    """What somebody types, and the texts that LIKE searches instead."""

    words: str
    like: Sequence[str]


@dataclass(slots=True)
class Times:
    """Milliseconds of one kind of search."""

    newest: list[float] = field(default_factory=list)
    count: list[float] = field(default_factory=list)
    best: list[float] = field(default_factory=list)
    like: list[float] = field(default_factory=list)


Row = tuple[int, int, str, str, datetime]
"""Id, conversation, text, tokens as the database takes them, and time of a message."""


def run(*, only: str | None = None, messages: int = MESSAGES) -> Sequence[Figure]:
    """Measure both databases, one after the other, or only one."""
    figures: list[Figure] = []
    for name in DATABASES if only is None else (only,):
        with _filled(name, messages) as server:
            figures += _measure(name, server, messages)
    return figures


def run_full(*, only: str | None = None) -> Sequence[Figure]:
    """Measure ten times as many messages."""
    return run(only=only, messages=FULL_MESSAGES)


@cache
def make_searches() -> Mapping[str, Sequence[Search]]:
    """Return the texts of each kind of search."""
    words, pairs = _list_words(), _list_hanzi_words()
    return {
        "very common word": [_search(words[index]) for index in range(5)],
        "rare word": [_search(words[-index]) for index in range(1, 6)],
        "two common words": [_search(words[index], words[index + 5]) for index in range(5)],
        "phrase": [_phrase(words[index], words[index + 7]) for index in range(5, 10)],
        "two Chinese characters": [_search(pairs[index]) for index in range(0, 50, 10)],
        "two letters": [Search(letters, (letters,)) for letters in ("ba", "ke", "mo", "su", "ti")],
        "nothing found": [_search(f"{words[index]}xq") for index in range(5)],
    }


def _search(*words: str) -> Search:
    # With the space, the last word is complete.
    return Search(" ".join(words) + " ", words)


def _phrase(*words: str) -> Search:
    return Search(f'"{" ".join(words)}"', (" ".join(words),))


@cache
def _list_words() -> Sequence[str]:
    """Return words, the most frequent ones first."""
    generator = random.Random(1)
    syllables = [consonant + vowel for consonant in "bdfghklmnprstvz" for vowel in "aeiou"]
    words: dict[str, None] = {}
    while len(words) < WORDS:
        words["".join(generator.choices(syllables, k=generator.choice((1, 2, 2, 3, 3, 4))))] = None
    return tuple(words)


@cache
def _list_hanzi_words() -> Sequence[str]:
    generator = random.Random(2)
    pairs: dict[str, None] = {}
    while len(pairs) < HANZI_WORDS:
        pairs["".join(chr(0x4E00 + generator.randrange(2_000)) for _ in range(2))] = None
    return tuple(pairs)


def _weigh(count: int) -> Sequence[float]:
    """Return cumulated weights as the frequencies of words have them in most languages."""
    return tuple(accumulate(1 / (rank + 2) for rank in range(count)))


def _make_chunk(database: str, all_rooms: Sequence[int], total: int, first: int) -> list[Row]:
    """Create messages of 3 to 15 words, a tenth of them Chinese."""
    generator = random.Random(first)
    rooms = generator.choices(all_rooms, cum_weights=_weigh(len(all_rooms)), k=min(CHUNK, total + 1 - first))
    words, pairs, weights, pair_weights = _list_words(), _list_hanzi_words(), _weigh(WORDS), _weigh(HANZI_WORDS)
    begin = datetime(2024, 1, 1, tzinfo=UTC)
    rows = []
    for index, room in enumerate(rooms):
        number = first + index
        length = generator.randint(3, 15)
        if generator.random() < 0.1:
            content = "".join(generator.choices(pairs, cum_weights=pair_weights, k=length))
        else:
            content = " ".join(generator.choices(words, cum_weights=weights, k=length))
        moment = begin + timedelta(days=DAYS) * (number / total)
        tokens = list_tokens(IndexedMessage(number, room, 1 + number % SENDERS, moment, content))
        encoded = " ".join(tokens) if database == "sqlite" else format_vector(tokens)
        rows.append((number, room, content, encoded, moment))
    return rows


@contextmanager
def _filled(database: str, messages: int) -> Iterator[Server]:
    """Create a database with rooms, people and messages."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        url = ""
        if database == "postgresql":
            postgres = Postgres(folder)
            postgres.start()
            stack.callback(postgres.close)
            url = postgres.create_database(migrated=False)
        server = Server(folder / "data", database_url=url)
        server.flask("db", "upgrade")
        with Session(server.engine()) as session, session.begin():
            rooms = _create_rooms(session)
        chunks = stack.enter_context(_make_chunks(database, rooms, messages))
        counts = _fill_postgresql(url, chunks) if url else _fill_sqlite(server, chunks)
        with Session(server.engine()) as session, session.begin():
            _count_messages(session, counts)
        yield server


def fill_general(server: Server, messages: int) -> None:
    """Write messages of `SENDERS` people to the general chat of a server with SQLite."""
    with _make_chunks("sqlite", [GENERAL_ID], messages) as chunks:
        _fill_sqlite(server, chunks)
    with Session(server.engine()) as session, session.begin():
        _count_messages(session, {GENERAL_ID: messages})


def _count_messages(session: Session, counts: Mapping[int, int]) -> None:
    """Store the number of messages of each conversation. They are indexed: otherwise the server would do it again."""
    session.execute(text("UPDATE message_search_state SET tokenizer = :tokenizer"), {"tokenizer": TOKENIZER_VERSION})
    for conversation_id, number in counts.items():
        indexed = {"indexed_event": number, "indexed_tokenizer": TOKENIZER_VERSION}
        values = {"last_event": number, "message_count": number, **indexed}
        session.execute(update(Conversation).where(Conversation.id == conversation_id).values(values))


def _create_rooms(session: Session) -> Sequence[int]:
    """Create the people and the rooms, and return the ids of the rooms."""
    names = [f"person{number}" for number in range(SENDERS)]
    session.execute(insert(User), [{"username": name, "name": name, "password_hash": ""} for name in names])
    rooms = [Room.new(name=f"Room {number}", visibility="private") for number in range(ROOMS)]
    session.add_all(rooms)
    session.flush()
    for user_id, numbers in enumerate(PEOPLE.values(), 1):
        session.add_all(Membership(conversation_id=rooms[number].id, user_id=user_id) for number in numbers)
    return [room.id for room in rooms]


@contextmanager
def _make_chunks(database: str, rooms: Sequence[int], messages: int) -> Iterator[Iterator[list[Row]]]:
    """Create the messages in other processes, a little earlier than they are stored."""
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        make = partial(_make_chunk, database, rooms, messages)

        def iterate() -> Iterator[list[Row]]:
            waiting: deque[Future[list[Row]]] = deque()
            for first in range(1, messages + 1, CHUNK):
                waiting.append(pool.submit(make, first))
                if len(waiting) > MAX_WAITING_CHUNKS:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()

        yield iterate()


def _number(rows: Sequence[Row], counts: Counter[int]) -> Iterator[tuple[object, ...]]:
    """Return the columns of the messages, and count those of each conversation."""
    for number, room, content, _, moment in rows:
        counts[room] += 1
        seq = counts[room]
        sender_id, client_id, created_at = 1 + number % SENDERS, f"{number:036d}", moment.strftime(TIME_FORMAT)
        yield number, room, seq, seq, sender_id, content, client_id, created_at, "user", "text"


def _fill_sqlite(server: Server, chunks: Iterator[list[Row]]) -> Mapping[int, int]:
    counts = Counter[int]()
    with closing(server.connect_sqlite()) as database:
        for rows in chunks:
            with database:
                database.executemany(_SQLITE_MESSAGES, _number(rows, counts))
                tokens = [(row[0], row[3]) for row in rows]
                database.executemany("INSERT INTO message_search (rowid, tokens) VALUES (?, ?)", tokens)
                database.execute(MERGE_SQLITE, (count_merged_pages(len(rows)),))
        # Otherwise each read would search a large log.
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return counts


def _fill_postgresql(url: str, chunks: Iterator[list[Row]]) -> Mapping[int, int]:
    counts = Counter[int]()
    with psycopg.connect(url, autocommit=True) as database:
        database.execute("DROP INDEX ix_message_search_tokens")
        for rows in chunks:
            with database.cursor().copy(_POSTGRESQL_MESSAGES) as copy:
                for message in _number(rows, counts):
                    copy.write_row(message)
            with database.cursor().copy(b"COPY message_search (message_id, tokens) FROM STDIN") as copy:
                for row in rows:
                    copy.write_row((row[0], row[3]))
        database.execute("SET maintenance_work_mem = '512MB'")
        database.execute("CREATE INDEX ix_message_search_tokens ON message_search USING gin (tokens)")
        database.execute("VACUUM ANALYZE")
    return counts


def _measure(name: str, server: Server, messages: int) -> list[Figure]:
    settings = Settings(data_dir=server.data_dir, database_url=server.environment["DATABASE_URL"], log_level="ERROR")
    with create_app(settings).app_context():
        try:
            figures = [_measure_size(name, messages)]
            for user_id, person in enumerate(PEOPLE, 1):
                figures += _measure_person(f"{_NAMES[name]}, {person}", Actor(user_id))
            return figures
        finally:
            current_writer().stop(5)
            db.engine.dispose()


def _measure_size(name: str, messages: int) -> Figure:
    if name == "sqlite":
        # The blobs and the texts of its tables. What pages have besides them is less than a tenth.
        size = sum(db.session.execute(text(f"SELECT {part}")).scalar_one() for part in _SQLITE_PARTS)
    else:
        size = db.session.execute(text("SELECT pg_total_relation_size('message_search')")).scalar_one()
    return Figure.of("index", "B each", (_NAMES[name], [size / messages]), ("goal", [GOAL_BYTES]))


def _measure_person(subject: str, actor: Actor) -> list[Figure]:
    times = {kind: _measure_searches(actor, searches) for kind, searches in make_searches().items()}
    figures = []
    for kind, each in times.items():
        figures.append(Figure.of(f"{kind}, median", "ms", (subject, each.newest), ("LIKE", each.like)))
    for kind, each in times.items():
        for way, goal in GOAL_MS.items():
            value = _p99(getattr(each, way))
            figures.append(Figure.of(f"{kind}, {way}, p99", "ms", (subject, [value]), ("goal", [goal])))
    return figures


def _p99(times: Sequence[float]) -> float:
    return statistics.quantiles(times, n=100, method="inclusive")[98]


def _measure_searches(actor: Actor, searches: Sequence[Search]) -> Times:
    times = Times()
    for measured in (False, True):
        for _ in range(ROUNDS if measured else 1):
            for search in searches:
                find = partial(find_messages, actor, search.words, limit=HITS)
                newest, best = _measure_ms(find), _measure_ms(partial(find, order="best"))
                count = _measure_ms(partial(count_messages, actor, search.words))
                if measured:
                    times.newest.append(newest)
                    times.count.append(count)
                    times.best.append(best)
    end = time.monotonic() + MAX_LIKE_SECONDS
    for search in searches:
        times.like.append(_measure_ms(partial(_scan, actor, search)))
        if time.monotonic() > end:
            break
    return times


def _measure_ms(search: Callable[[], object]) -> float:
    db.session.rollback()
    start = time.perf_counter()
    search()
    return (time.perf_counter() - start) * 1_000


def _scan(actor: Actor, search: Search) -> None:
    """Search by LIKE, also in the conversations of the person, and also the newest."""
    query = select(Membership.conversation_id).where(Membership.user_id == actor.user_id)
    rooms = ", ".join(map(str, db.session.scalars(query)))
    if db.engine.dialect.name == "postgresql":
        db.session.execute(text("SET LOCAL statement_timeout = 0"))
    names = [f"word{number}" for number in range(len(search.like))]
    operator = "LIKE" if db.engine.dialect.name == "sqlite" else "ILIKE"
    conditions = " AND ".join(f"content {operator} :{name}" for name in names)
    statement = text(_LIKE.format(rooms=rooms, conditions=conditions, limit=HITS))
    db.session.execute(statement, dict(zip(names, (f"%{word}%" for word in search.like), strict=True))).all()
