"""How a measurement is told: a table for people, one JSON object for programs."""

import json
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure of the subject beside the same figure of what it is compared to: medians of the rounds."""

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
        """Make a figure of the values of each round."""
        mine, theirs = statistics.median(subject[1]), statistics.median(other[1])
        return cls(name, unit, subject[0], mine, other[0], theirs, mine / theirs)


def print_report(name: str, figures: Sequence[Figure], *, as_json: bool) -> None:
    """Print the figures."""
    if as_json:
        print(json.dumps({"benchmark": name, "figures": [asdict(figure) for figure in figures]}))
        return
    width = max(len(figure.name) for figure in figures)
    print(f"{name}: {figures[0].subject}, compared to {figures[0].compared_to}")
    for figure in figures:
        print(
            f"  {figure.name:{width}}  {figure.value:12,.2f} {figure.unit:8}"
            f"  {figure.other:12,.2f} {figure.unit:8}  ratio {figure.ratio:.2f}"
        )
