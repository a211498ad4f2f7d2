"""Read pages with an HTML parser."""

from selectolax.lexbor import LexborHTMLParser, LexborNode


def find_element(page: str, selector: str) -> LexborNode:
    """Return the first element of a page that a CSS selector matches. Fails if there is none."""
    node = LexborHTMLParser(page).css_first(selector)
    assert node is not None, f"no {selector} on this page: {page[:2000]}"
    return node


def attribute(page: str, selector: str, name: str) -> str:
    """Return an attribute of the first element that a CSS selector matches."""
    value = find_element(page, selector).attributes.get(name)
    assert value is not None, f"{selector} has no attribute {name}"
    return value


def text(page: str, selector: str) -> str:
    """Return the text of the first element that a CSS selector matches."""
    return find_element(page, selector).text()


def find_csrf_token(page: str) -> str:
    """Return the CSRF token of the forms on a page."""
    return attribute(page, "input[name=csrf_token]", "value")


def rendered_messages(page: str) -> list[tuple[int, str]]:
    """Return seq and text of the messages on a page, as the server rendered them."""
    return [
        (int(message.attributes["data-seq"] or 0), body.text())
        for message in LexborHTMLParser(page).css("li.message[data-seq]")
        if (body := message.css_first(".message-body")) is not None
    ]
