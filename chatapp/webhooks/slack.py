"""Text in Slack's notation as Markdown: what programs send that were written for Slack's incoming webhooks.

https://docs.slack.dev/messaging/formatting-message-text
"""

import re
from html import unescape

# Code stays as it is. What is in brackets is a link or a mention; no text contains other brackets.
_TOKEN = re.compile(
    r"(?P<code>```.*?```|`[^`\n]+`)"
    r"|<(?P<target>[^<>|\n]+)(?:\|(?P<label>[^<>\n]*))?>"
    r"|(?P<mark>[*~])",
    re.DOTALL,
)

_WORD = re.compile(r"\w")

_EVERYBODY = {"!channel", "!here", "!everyone"}

_MARKDOWN = {"*": "**", "~": "~~"}


def to_markdown(text: str) -> str:
    """Return the Markdown of a text in Slack's notation. What is not understood stays."""
    parts: list[str] = []
    end = 0
    marks = _find_marks(text)
    for token in _TOKEN.finditer(text):
        parts.append(unescape(text[end : token.start()]))
        end = token.end()
        if token["code"]:
            parts.append(_convert_code(token["code"]))
        elif token["target"]:
            parts.append(_convert_reference(token["target"], token["label"] or ""))
        else:
            parts.append(_MARKDOWN[token[0]] if token.start() in marks else token[0])
    return "".join([*parts, unescape(text[end:])])


def _find_marks(text: str) -> set[int]:
    """Return the positions of asterisks and tildes that begin or end bold or struck text: in pairs, in one line."""
    marks: set[int] = set()
    begun: dict[str, int] = {}
    for token in _TOKEN.finditer(text):
        mark, position = token["mark"], token.start()
        if not mark:
            continue
        before, after = text[position - 1 : position], text[position + 1 : position + 2]
        begin = begun.get(mark)
        if begin is not None and "\n" in text[begin:position]:
            begin = None
        if begin is not None and before.strip() and position > begin + 1 and not _WORD.match(after):
            marks |= {begin, position}
            begun.pop(mark)
        elif after.strip() and after != mark and not _WORD.match(before):
            begun[mark] = position
    return marks


def _convert_code(code: str) -> str:
    code = unescape(code)
    if not code.startswith("```"):
        return code
    content = code[3:-3].strip("\n")
    # In Markdown the fences have lines of their own, and the text after the first one names a language.
    return f"\n```\n{content}\n```\n"


def _convert_reference(target: str, label: str) -> str:
    label, target = unescape(label), unescape(target)
    if target in _EVERYBODY:
        return "@all"
    if target.startswith("@"):
        return f"@{label.removeprefix('@') or target[1:]}"
    if target.startswith("#"):
        return f"#{label.removeprefix('#') or target[1:]}"
    if target.startswith("!"):
        return label or target  # A date or a group, with a text for programs that do not know it.
    if not re.match(r"(?:https?://|mailto:)", target, re.IGNORECASE):
        return f"<{target}|{label}>" if label else f"<{target}>"
    if not label or label == target.removeprefix("mailto:"):
        return target.removeprefix("mailto:")
    label = re.sub(r"([\\\[\]])", r"\\\1", label)
    target = target.replace("(", "%28").replace(")", "%29").replace(" ", "%20")
    return f"[{label}]({target})"
