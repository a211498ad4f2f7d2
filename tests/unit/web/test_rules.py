"""URL rules that are compiled when they are used."""

import pytest
from flask import Flask
from werkzeug.routing import Rule

from chatapp.web.rules import LazyRule

RULES = {
    "general": "/",
    "message": "/conversations/<conversation>/messages/<int:seq>",
    "file": "/static/<path:filename>",
}


def build_urls(rule_class: type[Rule]) -> list[str]:
    app = Flask("chatapp", static_folder=None)
    app.url_rule_class = rule_class
    for endpoint, rule in RULES.items():
        app.add_url_rule(rule, endpoint)
    urls = app.url_map.bind("localhost")
    values = {"conversation": "room_26", "seq": 7, "filename": "a/b.js"}
    arguments = {"general": (), "message": ("conversation", "seq"), "file": ("filename",)}
    return [
        urls.build(
            endpoint, {name: values[name] for name in arguments[endpoint]} | others, append_unknown=append_unknown
        )
        for endpoint in RULES
        for others in ({}, {"before": "41"})
        for append_unknown in (True, False)
        for _ in range(2)
    ]


def test_a_lazy_rule_builds_the_same_urls_as_the_librarys() -> None:
    assert build_urls(LazyRule) == build_urls(Rule)


def test_a_rule_is_compiled_when_its_first_url_is_built(monkeypatch: pytest.MonkeyPatch) -> None:
    compiled: list[str] = []
    compile_builder = Rule._compile_builder

    def record(rule: Rule, append_unknown: bool = True) -> object:
        compiled.append(rule.rule)
        return compile_builder(rule, append_unknown)

    monkeypatch.setattr(Rule, "_compile_builder", record)
    app = Flask("chatapp", static_folder=None)
    app.url_rule_class = LazyRule
    app.add_url_rule("/a", "a")
    app.add_url_rule("/b", "b")
    assert compiled == []
    assert [app.url_map.bind("localhost").build("b") for _ in range(2)] == ["/b", "/b"]
    assert compiled == ["/b"]
