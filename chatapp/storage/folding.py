"""Comparing texts in the database without case and accents: SQLite's `lower()` knows the letters of ASCII only."""

import re
from collections.abc import Iterable
from typing import Any

from sqlalchemy import ColumnElement, String, literal
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import InstrumentedAttribute
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import GenericFunction

_ACCENTS = "[\u0300-\u036f\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]"
"""The combining marks of Latin, Greek and Cyrillic letters."""

_SPECIAL = re.compile("[/%_]")
"""Characters with a meaning in a pattern of LIKE, and the one that escapes them."""


class fold(GenericFunction[str]):  # noqa: N801 - the name of the function in SQL
    """The text without case and accents. Connections to SQLite have a function of this name: `chatapp.text.fold`."""

    name = "fold"
    type = String()
    inherit_cache = True


@compiles(fold, "postgresql")
def _fold_on_postgresql(element: Any, compiler: SQLCompiler, **options: Any) -> str:
    text = compiler.process(element.clauses, **options)
    return f"lower(regexp_replace(normalize({text}, NFKD), '{_ACCENTS}', '', 'g'))"


def equals_folded(
    expression: ColumnElement[str] | InstrumentedAttribute[str], texts: Iterable[str]
) -> ColumnElement[bool]:
    """Return the SQL condition that an expression is one of the texts, ignoring case and accents."""
    return fold(expression).in_([fold(literal(text)) for text in texts])


def contains_folded(
    expression: ColumnElement[str] | InstrumentedAttribute[str] | InstrumentedAttribute[str | None], text: str
) -> ColumnElement[bool]:
    """Return the SQL condition that an expression contains a text, ignoring case and accents."""
    escaped = _SPECIAL.sub(r"/\g<0>", text)
    return fold(expression).like(literal("%").concat(fold(literal(escaped))).concat("%"), escape="/")
