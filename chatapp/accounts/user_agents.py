"""Names of browsers and systems in the header `User-Agent`, to be recognised by the user."""

BROWSERS = {"Edg": "Edge", "OPR/": "Opera", "SamsungBrowser/": "Samsung Internet", "Firefox/": "Firefox"} | {
    "FxiOS/": "Firefox",
    "CriOS/": "Chrome",
    "Chrome/": "Chrome",
    "Safari/": "Safari",
}
"""Parts of the header by which a browser is recognised. The first one counts: most browsers claim to be others too."""

SYSTEMS = {"iPhone": "iPhone", "iPad": "iPad", "Android": "Android", "CrOS": "ChromeOS"} | {
    "Windows": "Windows",
    "Mac OS X": "macOS",
    "Linux": "Linux",
}

MAX_SHOWN_CHARS = 60


def describe_device(user_agent: str) -> str:
    """Return a name such as “Firefox on Linux”, or the beginning of the header of an unknown program."""
    browser = next((name for part, name in BROWSERS.items() if part in user_agent), None)
    system = next((name for part, name in SYSTEMS.items() if part in user_agent), None)
    if browser is None or system is None:
        return browser or system or user_agent[:MAX_SHOWN_CHARS] or "Unknown device"
    return f"{browser} on {system}"
