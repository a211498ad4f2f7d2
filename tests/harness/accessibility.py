"""Accessibility of pages, as axe checks it."""

from playwright.sync_api import Page


def list_violations(page: Page, **options: object) -> list[str]:
    """Return the rule and the first element of each serious violation of accessibility."""
    from axe_playwright_python.sync_playwright import Axe

    violations = Axe().run(page, options={"resultTypes": ["violations"], **options}).response["violations"]
    return [
        f"{violation['id']} {violation['nodes'][0]['html'][:200]}"
        for violation in violations
        if violation["impact"] in {"serious", "critical"}
    ]
