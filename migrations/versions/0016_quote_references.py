"""Replace quotes of other conversations in the answers of the built-in assistant by references.

Everybody who can read an answer could read them, also through a public link. See `chatapp/presentation/quotes.py`.

Revision ID: 0016
Revises: 0015
"""

import re

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"

SECONDS_PER_MILLION_MESSAGES = {"postgresql": 0.5, "sqlite": 1.0}

BATCH_SIZE = 500

MESSAGES = sa.table(
    "messages", sa.column("id"), sa.column("conversation_id"), sa.column("sender_type"), sa.column("content")
)
CONVERSATIONS = sa.table("conversations", sa.column("id"), sa.column("kind"))

# What the built-in assistant wrote, and nothing else: "Messages about “lunch”:" or "Ana wrote:", then quotes.
ANSWER = re.compile(r"(Messages about .*:|.* wrote:)\n\n> ")
QUOTE = re.compile(r"^> .*\n>\n> — .*\]\((?P<path>/conversations/(?P<name>\w+)/messages/\d+)\)$", re.MULTILINE)
# The last quote of an answer that was stopped before the source of the quote.
UNFINISHED_QUOTE = re.compile(r"^> (?!\[Quoted message\]).*(\n>.*)*\Z", re.MULTILINE)


def upgrade() -> None:
    """Replace them, in batches of messages."""
    connection = op.get_bind()
    answers = (
        sa.select(MESSAGES.c.id, MESSAGES.c.conversation_id, CONVERSATIONS.c.kind, MESSAGES.c.content)
        .join(CONVERSATIONS, CONVERSATIONS.c.id == MESSAGES.c.conversation_id)
        .where(MESSAGES.c.sender_type == "assistant", MESSAGES.c.content.like("%\n> %"))
        .order_by(MESSAGES.c.id)
        .limit(BATCH_SIZE)
    )
    last_id = 0
    while rows := connection.execute(answers.where(MESSAGES.c.id > last_id)).all():
        for message_id, conversation_id, kind, content in rows:
            name = kind if kind == "general" else f"{kind}_{conversation_id}"
            replaced = replace_quotes(content, name)
            if replaced != content:
                connection.execute(sa.update(MESSAGES).where(MESSAGES.c.id == message_id).values(content=replaced))
        last_id = rows[-1].id


def downgrade() -> None:
    """Leave the references, which are links."""


def replace_quotes(content: str, conversation: str) -> str:
    """Return an answer with references for quotes of other conversations than `conversation`."""

    def replace(quote: re.Match[str]) -> str:
        return quote[0] if quote["name"] == conversation else f"> [Quoted message]({quote['path']})"

    if not ANSWER.match(content):
        return content
    heading, separator, quotes = content.partition("\n\n")
    kept = [QUOTE.sub(replace, quote) for quote in quotes.split("\n\n")]
    if not QUOTE.match(kept[-1]):
        kept[-1] = UNFINISHED_QUOTE.sub("> …", kept[-1])
    return heading + separator + "\n\n".join(kept)
