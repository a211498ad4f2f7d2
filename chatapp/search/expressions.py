"""The condition on the tokens of a message, in the languages of both databases."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from chatapp.search.query import Phrase, Term
from chatapp.search.tokens import FIRST_PAIR, PAIRS, pair_tokens

_UNUSED_TOKEN = chr(FIRST_PAIR + PAIRS)
"""A token that no message has."""


@dataclass(frozen=True, slots=True)
class Expression:
    """A message has one of the phrases of each of `terms`, one token of each of `scopes`, and nothing excluded."""

    terms: Sequence[Term]
    scopes: Sequence[Sequence[str]] = ()
    excluded: Sequence[Term] = ()
    uses_pairs: bool = False
    """Whether the index has the pairs of all messages: a phrase of common words is then found by them."""

    def has_required(self) -> bool:
        """Return whether it requires any token: otherwise no index can find what it matches."""
        return bool(self.terms or self.scopes)

    def any_excluded(self) -> "Expression":
        """Return the expression of messages that have something excluded."""
        return Expression([tuple(phrase for term in self.excluded for phrase in term)])

    def to_fts5(self) -> str:
        """Return it in the language of SQLite: https://www.sqlite.org/fts5.html#full_text_query_syntax."""
        words = [term for term in self.terms if not has_phrase(term)]
        phrases = [term for term in self.terms if has_phrase(term)]
        scopes = [_any(f'"{token}"' for token in tokens) for tokens in self.scopes]
        required = [*(_any(map(_fts5_phrase, term)) for term in words), *scopes]
        if pairs := self._list_pairs():
            required += [_any(" AND ".join(map(_fts5_phrase, each)) for each in term) for term in pairs]
            # Excluding nothing keeps FTS5 from merging both ANDs: it would read most places of the words of a phrase.
            required = [f'(({" AND ".join(required)}) NOT "{_UNUSED_TOKEN}")']
        text = " AND ".join([*required, *(_any(map(_fts5_phrase, term)) for term in phrases)])
        if not self.excluded:
            return text
        return f"({text}) NOT ({' OR '.join(_any(map(_fts5_phrase, term)) for term in self.excluded)})"

    def to_tsquery(self) -> str:
        """Return it as a `tsquery` of PostgreSQL."""
        required = [
            *(_any(map(_tsquery_phrase, term), " | ") for term in self.terms),
            *(_any((" & ".join(map(_tsquery_phrase, each)) for each in term), " | ") for term in self._list_pairs()),
            *(_any((f"'{token}'" for token in tokens), " | ") for tokens in self.scopes),
            *(f"!{_any(map(_tsquery_phrase, term), ' | ')}" for term in self.excluded),
        ]
        return " & ".join(required)

    def _list_pairs(self) -> Sequence[Sequence[Sequence[Phrase]]]:
        """Return single tokens that each match of a term has: for each of its alternatives, all of them.

        Terms of single tokens are not among them, nor those with a phrase without a complete pair.
        """
        if not self.uses_pairs:
            return ()
        pairs = [[_single_tokens(phrase) for phrase in term] for term in self.terms if has_phrase(term)]
        return [term for term in pairs if all(term)]


def has_phrase(term: Term) -> bool:
    """Return whether one of the alternatives consists of several tokens."""
    return any(len(phrase.tokens) > 1 for phrase in term)


def _single_tokens(phrase: Phrase) -> Sequence[Phrase]:
    if len(phrase.tokens) == 1:
        return [phrase]
    complete = phrase.tokens[:-1] if phrase.is_prefix else phrase.tokens
    return [Phrase((token,)) for token in pair_tokens(complete)]


def _any(alternatives: Iterable[str], separator: str = " OR ") -> str:
    return f"({separator.join(alternatives)})"


def _fts5_phrase(phrase: Phrase) -> str:
    return f'"{" ".join(phrase.tokens)}"{"*" if phrase.is_prefix else ""}'


def _tsquery_phrase(phrase: Phrase) -> str:
    lexemes = [f"'{token}'" for token in phrase.tokens]
    if phrase.is_prefix:
        lexemes[-1] += ":*"
    return f"({' <-> '.join(lexemes)})"
