"""URL rules that cost little at a start."""

from collections.abc import Callable

from werkzeug.routing import Rule


class LazyRule(Rule):
    """A rule that compiles the functions which build its URLs when they are used first.

    werkzeug compiles them when a rule is added. For all rules that takes 30 ms, and a page uses few of them.
    """

    def _compile_builder(self, append_unknown: bool = True) -> Callable[..., tuple[str, str]]:  # noqa: FBT001 - the library's signature
        compile_builder = super()._compile_builder
        built: Callable[..., tuple[str, str]] | None = None

        def build(rule: Rule, **values: str) -> tuple[str, str]:
            nonlocal built
            if built is None:
                built = compile_builder(append_unknown)
            return built(rule, **values)

        return build
