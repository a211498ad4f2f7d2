"""The condition on the tokens of a message, in the languages of both databases."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from chatapp.search.query import Phrase, Term


@dataclass(frozen=True, slots=True)
class Expression:
    """A message has one of the phrases of each of `terms`, one token of each of `scopes`, and nothing excluded."""

    terms: Sequence[Term]
    scopes: Sequence[Sequence[str]] = ()
    excluded: Sequence[Term] = ()

    def has_required(self) -> bool:
        """Return whether it requires any token: otherwise no index can find what it matches."""
        return bool(self.terms or self.scopes)

    def any_excluded(self) -> "Expression":
        """Return the expression of messages that have something excluded."""
        return Expression([tuple(phrase for term in self.excluded for phrase in term)])

    def to_fts5(self) -> str:
        """Return it in the language of SQLite: https://www.sqlite.org/fts5.html#full_text_query_syntax."""
        required = [
            *(_any(map(_fts5_phrase, term)) for term in self.terms),
            *(_any(f'"{token}"' for token in tokens) for tokens in self.scopes),
        ]
        text = " AND ".join(required)
        if not self.excluded:
            return text
        return f"({text}) NOT ({' OR '.join(_any(map(_fts5_phrase, term)) for term in self.excluded)})"

    def to_tsquery(self) -> str:
        """Return it as a `tsquery` of PostgreSQL."""
        required = [
            *(_any(map(_tsquery_phrase, term), " | ") for term in self.terms),
            *(_any((f"'{token}'" for token in tokens), " | ") for tokens in self.scopes),
            *(f"!{_any(map(_tsquery_phrase, term), ' | ')}" for term in self.excluded),
        ]
        return " & ".join(required)


def _any(alternatives: Iterable[str], separator: str = " OR ") -> str:
    return f"({separator.join(alternatives)})"


def _fts5_phrase(phrase: Phrase) -> str:
    return f'"{" ".join(phrase.tokens)}"{"*" if phrase.is_prefix else ""}'


def _tsquery_phrase(phrase: Phrase) -> str:
    lexemes = [f"'{token}'" for token in phrase.tokens]
    if phrase.is_prefix:
        lexemes[-1] += ":*"
    return f"({' <-> '.join(lexemes)})"
