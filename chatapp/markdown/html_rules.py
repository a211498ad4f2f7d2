"""How elements of Markdown become HTML where it differs from the library's: links, lists, tables, code and text."""

from collections.abc import Sequence

from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from markdown_it.utils import EnvType, OptionsDict
from markupsafe import escape

from chatapp.markdown.highlighting import highlight

MAX_CODE_LINES = 25
"""Maximum number of lines of a block of code that is not folded."""

_FOLD_BUTTON = '<button class="fold-button" type="button" data-fold aria-expanded="false">Show more</button>'


def add_html_rules(parser: MarkdownIt) -> None:
    """Add the rules to a parser."""
    parser.add_render_rule("text", _render_text)
    parser.add_render_rule("text_special", _render_special)
    parser.add_render_rule("url", _render_text)
    parser.add_render_rule("link_open", _render_link)
    parser.add_render_rule("link_close", _render_link_end)
    parser.add_render_rule("list_item_open", _render_list_item)
    parser.add_render_rule("table_open", _render_table)
    parser.add_render_rule("table_close", _render_table_end)
    parser.add_render_rule("td_open", _render_cell)
    parser.add_render_rule("th_open", _render_cell)
    parser.add_render_rule("fence", _render_code)


def _render_link(
    renderer: RendererHTML, tokens: Sequence[Token], index: int, options: OptionsDict, env: EnvType
) -> str:
    href = str(tokens[index].attrGet("href") or "")
    if not href.startswith("/") or href.startswith("//"):
        tokens[index].attrSet("target", "_blank")
    env["is_in_link"] = True
    return renderer.renderToken(tokens, index, options, env)


def _render_link_end(
    renderer: RendererHTML, tokens: Sequence[Token], index: int, options: OptionsDict, env: EnvType
) -> str:
    env["is_in_link"] = False
    return renderer.renderToken(tokens, index, options, env)


def _render_text(
    _renderer: RendererHTML, tokens: Sequence[Token], index: int, _options: OptionsDict, env: EnvType
) -> str:
    content, marks = tokens[index].content, env["marks"]
    return str(escape(content) if env["is_in_link"] else marks.render(content))


def _render_special(
    _renderer: RendererHTML, tokens: Sequence[Token], index: int, _options: OptionsDict, _env: EnvType
) -> str:
    return str(escape(tokens[index].content))


def _render_list_item(
    renderer: RendererHTML, tokens: Sequence[Token], index: int, options: OptionsDict, env: EnvType
) -> str:
    html = renderer.renderToken(tokens, index, options, env)
    if "checked" not in tokens[index].meta:
        return html
    state = 'checked aria-label="Done"' if tokens[index].meta["checked"] else 'aria-label="Not done"'
    return f'{html}<input type="checkbox" disabled {state}> '


def _render_cell(
    renderer: RendererHTML, tokens: Sequence[Token], index: int, options: OptionsDict, env: EnvType
) -> str:
    # The policy of the pages allows no styles of elements.
    if (style := tokens[index].attrs.pop("style", None)) is not None:
        tokens[index].attrSet("class", f"is-{str(style).removeprefix('text-align:')}")
    return renderer.renderToken(tokens, index, options, env)


def _render_table(
    _renderer: RendererHTML, _tokens: Sequence[Token], _index: int, _options: OptionsDict, _env: EnvType
) -> str:
    # It scrolls in the message, also with the keys.
    return '<div class="table" tabindex="0"><table>\n'


def _render_table_end(
    _renderer: RendererHTML, _tokens: Sequence[Token], _index: int, _options: OptionsDict, _env: EnvType
) -> str:
    return "</table></div>\n"


def _render_code(
    _renderer: RendererHTML, tokens: Sequence[Token], index: int, _options: OptionsDict, env: EnvType
) -> str:
    code, language = tokens[index].content, (tokens[index].info.split() or [""])[0]
    with env["budget"].paused():
        highlighted = highlight(code, language, env["highlight_budget"])
    is_long = code.count("\n") > MAX_CODE_LINES
    return (
        f'<div class="code{" is-long" if is_long else ""}"><div class="code-head"><span>{escape(language)}</span>'
        '<button class="button is-small" type="button" data-copy-code>Copy</button></div>'
        f'<pre tabindex="0"><code>{highlighted}</code></pre>{_FOLD_BUTTON if is_long else ""}</div>'
    )
