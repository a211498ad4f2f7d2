"""Output of a benchmark: a table, or one JSON object."""

import json
import math
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure of the subject and of the side that it is compared to: medians of the rounds."""

    name: str
    unit: str
    subject: str
    value: float
    compared_to: str
    other: float
    ratio: float

    @classmethod
    def of(
        cls, name: str, unit: str, subject: tuple[str, Sequence[float]], other: tuple[str, Sequence[float]]
    ) -> "Figure":
        """Create a figure from the values of each round."""
        value, other_value = statistics.median(subject[1]), statistics.median(other[1])
        return cls(
            name, unit, subject[0], value, other[0], other_value, value / other_value if other_value else math.inf
        )


def print_report(name: str, figures: Sequence[Figure], *, as_json: bool) -> None:
    """Print the figures."""
    if as_json:
        print(json.dumps({"benchmark": name, "figures": [asdict(figure) for figure in figures]}))
        return
    width = max(len(figure.name) for figure in figures)
    sides = None
    for figure in figures:
        if sides != (sides := (figure.subject, figure.compared_to)):
            print(f"{name}: {figure.subject}, compared to {figure.compared_to}")
        print(
            f"  {figure.name:{width}}  {figure.value:12,.2f} {figure.unit:8}"
            f"  {figure.other:12,.2f} {figure.unit:8}  ratio {figure.ratio:.2f}"
        )
