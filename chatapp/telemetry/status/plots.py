"""The plots of the page: which figures they show over time, in which unit, and the same as a table."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from chatapp.distribution import estimate_percentile
from chatapp.telemetry.status.figures import Figures, merge_processes, merge_times
from chatapp.telemetry.status.store import DAYS, HALF_HOURS, MINUTES, Period

BYTE_UNITS = ("bytes", "kB", "MB", "GB", "TB")


@dataclass(frozen=True, slots=True)
class Range:
    """A period that can be chosen on the page."""

    name: str
    """As in the URL."""
    title: str
    period: Period
    interval: str
    """The length of an interval, as in “messages per minute”."""
    intervals_per_row: int
    """Number of intervals that are one row of a table."""


RANGES = {
    each.name: each
    for each in (
        Range("hours", "3 hours", MINUTES, "minute", 15),
        Range("week", "Week", HALF_HOURS, "half hour", 24),
        Range("year", "Year", DAYS, "day", 30),
    )
}


@dataclass(frozen=True, slots=True)
class Series:
    """A line of a plot."""

    title: str
    value: Callable[[Figures, int], float | None]
    """Returns the value in an interval of some seconds; None if it is not known."""


@dataclass(frozen=True, slots=True)
class Plot:
    """A plot."""

    name: str
    title: str
    unit: str
    """Unit of the values. “bytes” becomes the one that fits them; `{interval}` is replaced."""
    series: Sequence[Series]
    hint: str = ""


def _number(name: str, factor: float = 1.0) -> Callable[[Figures, int], float | None]:
    def find(figures: Figures, _seconds: int) -> float | None:
        value = figures.get(name)
        return value * factor if isinstance(value, int | float) else None

    return find


def _ack_ms(fraction: float) -> Callable[[Figures, int], float | None]:
    def estimate(figures: Figures, _seconds: int) -> float | None:
        counts = figures.get("ack_seconds")
        seconds = estimate_percentile(counts, fraction) if isinstance(counts, list) else None
        return None if seconds is None else seconds * 1_000

    return estimate


def _load(figures: Figures, seconds: int) -> float | None:
    value = figures.get("cpu_seconds")
    return 100 * value / seconds if isinstance(value, int | float) else None


PLOTS = (
    Plot("messages", "Messages", "messages per {interval}", [Series("Messages", _number("messages"))]),
    Plot(
        "people",
        "People",
        "connected",
        [Series("People", _number("people")), Series("Connections", _number("sockets"))],
        "A person may have several connections: one for each open page.",
    ),
    Plot(
        "acks",
        "Acknowledgement of messages",
        "ms",
        [Series("Median", _ack_ms(0.5)), Series("99 of 100 are faster", _ack_ms(0.99))],
        "The time until a message of a connected person is stored.",
    ),
    Plot("spool", "Spool", "messages", [Series("Waiting for the database", _number("spooled"))]),
    Plot("memory", "Memory of all processes", "bytes", [Series("Memory", _number("memory_bytes"))]),
    Plot("load", "Load of all processes", "% of one processor", [Series("Load", _load)]),
    Plot("database", "Size of the database", "bytes", [Series("Size", _number("database_bytes"))]),
    Plot("disk", "Free disk space", "% of the disk", [Series("Free", _number("disk_free", 100))]),
    Plot("slow", "Slow queries", "queries per {interval}", [Series("Queries", _number("slow_queries"))]),
)


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a table: the figures of some intervals together."""

    begins_at: datetime
    texts: Sequence[str]
    """The value of each series."""


@dataclass(frozen=True, slots=True)
class DrawnPlot:
    """A plot with its values."""

    plot: Plot
    unit: str
    values: Sequence[Sequence[float | None]]
    """Those of each series, for each of the times."""
    rows: Sequence[Row]
    """The newest first."""

    @property
    def has_values(self) -> bool:
        """Whether there is anything to show."""
        return bool(self.rows)

    @property
    def summary(self) -> str:
        """The last and the highest value of each series as text."""
        parts = []
        for series, values in zip(self.plot.series, self.values, strict=True):
            known = [value for value in values if value is not None]
            if known:
                title = f"{series.title}: " if len(self.plot.series) > 1 else ""
                parts.append(f"{title}last {format_number(known[-1])}, highest {format_number(max(known))}")
        text = "; ".join(parts)
        return f"{text[0].upper()}{text[1:]} ({self.unit})." if parts else "No values in this period."


@dataclass(frozen=True, slots=True)
class DrawnPlots:
    """All plots of a range."""

    times: Sequence[int]
    """Begin of each interval, in Unix time."""
    plots: Sequence[DrawnPlot]


def draw_plots(chosen: Range, history: Mapping[int, Sequence[Figures]], now: float) -> DrawnPlots:
    """Return the plots of what processes have recorded, without the interval that has not ended yet."""
    seconds = chosen.period.seconds
    figures = {begins_at: merge_processes(each) for begins_at, each in history.items() if begins_at + seconds <= now}
    end = int(now // seconds) * seconds
    begin = max(min(figures, default=end), end - chosen.period.kept * seconds)
    times = range(begin, end, seconds)
    # The rows end with the last interval, so the first one may be shorter.
    stops = range(len(times), 0, -chosen.intervals_per_row)
    groups = [times[max(0, stop - chosen.intervals_per_row) : stop] for stop in stops]
    merged = [
        (datetime.fromtimestamp(group[0], UTC), merge_times(figures.get(each, {}) for each in group), len(group))
        for group in groups
    ]
    plots = []
    for plot in PLOTS:
        values = [[series.value(figures.get(each, {}), seconds) for each in times] for series in plot.series]
        unit, factor = _choose_unit(plot, chosen, values)
        table = [
            (begins_at, [series.value(each, seconds * count) for series in plot.series])
            for begins_at, each, count in merged
        ]
        rows = [
            Row(begins_at, ["–" if value is None else format_number(value * factor) for value in each])
            for begins_at, each in table
            if any(value is not None for value in each)
        ]
        plots.append(DrawnPlot(plot, unit, [_scale(each, factor) for each in values], rows))
    return DrawnPlots(times, plots)


def _choose_unit(plot: Plot, chosen: Range, values: Sequence[Sequence[float | None]]) -> tuple[str, float]:
    """Return the unit of a plot, and the factor to it."""
    if plot.unit != "bytes":
        return plot.unit.format(interval=chosen.interval), 1.0
    highest = max((value for each in values for value in each if value is not None), default=0.0)
    power = byte_power(highest)
    return BYTE_UNITS[power], 1_000.0**-power


def _scale(values: Sequence[float | None], factor: float) -> list[float | None]:
    return [None if value is None else round(value * factor, 3) for value in values]


def byte_power(size: float) -> int:
    """Return the index of the unit in `BYTE_UNITS` in which a size has at most three digits."""
    return next((power for power in range(len(BYTE_UNITS)) if size < 1_000 ** (power + 1)), len(BYTE_UNITS) - 1)


def format_bytes(size: float) -> str:
    """Return a size, such as “1.5 GB”."""
    power = byte_power(size)
    return f"{format_number(size / 1_000**power)} {BYTE_UNITS[power]}"


def format_number(value: float) -> str:
    """Return a number as people read it: “12,345”, “12.3”, “0.12”."""
    if value >= 100 or value == int(value):
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"
