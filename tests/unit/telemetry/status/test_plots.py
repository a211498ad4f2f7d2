"""Plots: the figures of all processes over time, and the same as a table."""

import pytest

from chatapp.distribution import SECONDS, Distribution, estimate_percentile
from chatapp.telemetry.status.figures import Figures
from chatapp.telemetry.status.plots import (
    PLOTS,
    RANGES,
    DrawnPlot,
    DrawnPlots,
    draw_plots,
    format_bytes,
    format_number,
)

NOW = 86_400 * 20_000

HOURS = RANGES["hours"]


def draw(*minutes: Figures | None) -> DrawnPlots:
    """Draw the minutes before now. One without figures is missing."""
    begin = NOW - 60 * len(minutes)
    return draw_plots(HOURS, {begin + 60 * index: [each] for index, each in enumerate(minutes) if each}, NOW)


def find(drawn: DrawnPlots, name: str) -> DrawnPlot:
    (plot,) = (each for each in drawn.plots if each.plot.name == name)
    return plot


def test_without_history_there_are_all_plots_without_values() -> None:
    drawn = draw()
    assert [each.plot for each in drawn.plots] == list(PLOTS)
    assert list(drawn.times) == []
    assert not any(each.has_values for each in drawn.plots)
    assert {each.summary for each in drawn.plots} == {"No values in this period."}


def test_each_time_has_a_value_and_one_without_is_a_gap() -> None:
    drawn = draw({"messages": 3}, None, None, {"messages": 5})
    assert list(drawn.times) == [NOW - 240, NOW - 180, NOW - 120, NOW - 60]
    messages = find(drawn, "messages")
    assert messages.values == [[3, None, None, 5]]
    assert messages.unit == "messages per minute"
    assert messages.summary == "Last 5, highest 5 (messages per minute)."
    assert not find(drawn, "disk").has_values


def test_the_last_intervals_are_gaps_while_no_process_records() -> None:
    assert find(draw({"messages": 3}, None), "messages").values == [[3, None]]


def test_the_figures_of_all_processes_are_one_value() -> None:
    drawn = draw_plots(HOURS, {NOW - 60: [{"sockets": 3, "people": 4}, {"sockets": 2, "people": 4}]}, NOW)
    assert find(drawn, "people").values == [[4], [5]]
    assert find(drawn, "people").summary == "People: last 4, highest 4; Connections: last 5, highest 5 (connected)."


def test_the_interval_that_has_not_ended_is_left_out() -> None:
    history: dict[int, list[Figures]] = {NOW - 60: [{"messages": 3}], NOW: [{"messages": 1}]}
    assert find(draw_plots(HOURS, history, NOW + 59), "messages").values == [[3]]
    assert find(draw_plots(HOURS, history, NOW + 60), "messages").values == [[3, 1]]


def test_a_range_has_no_more_intervals_than_are_kept() -> None:
    minute: Figures = {"messages": 1}
    drawn = draw(*[minute] * 200)
    assert len(drawn.times) == HOURS.period.kept
    assert drawn.times[-1] == NOW - 60


@pytest.mark.parametrize(("name", "unit"), [("hours", "minute"), ("week", "half hour"), ("year", "day")])
def test_counts_have_the_unit_of_the_range(name: str, unit: str) -> None:
    drawn = draw_plots(RANGES[name], {NOW - RANGES[name].period.seconds: [{"messages": 1}]}, NOW)
    assert find(drawn, "messages").unit == f"messages per {unit}"
    assert find(drawn, "messages").values == [[1]]


def test_the_load_is_the_processor_time_in_percent_of_the_interval() -> None:
    assert find(draw({"cpu_seconds": 90}), "load").values == [[150]]


def test_a_row_of_the_table_is_that_of_several_intervals_newest_first() -> None:
    minute: Figures = {"messages": 1, "cpu_seconds": 30, "disk_free": 0.5}
    drawn = draw(*[minute] * 20)
    messages = find(drawn, "messages")
    assert [row.texts for row in messages.rows] == [["15"], ["5"]]
    assert [row.begins_at.timestamp() for row in messages.rows] == [NOW - 15 * 60, NOW - 20 * 60]
    assert [row.texts for row in find(drawn, "load").rows] == [["50"], ["50"]]
    assert [row.texts for row in find(drawn, "disk").rows] == [["50"], ["50"]]


def test_rows_without_values_are_left_out() -> None:
    assert len(find(draw({"messages": 1}, *[None] * 40), "messages").rows) == 1


def test_acknowledgements_are_median_and_99th_percentile_in_milliseconds() -> None:
    counts = [0] * (len(SECONDS) + 1)
    counts[SECONDS.index(0.005)], counts[SECONDS.index(1.0)] = 98, 2
    median, high = find(draw({"ack_seconds": counts}), "acks").values
    assert median[0] == pytest.approx(2.5 + 2.5 * 50 / 98, abs=0.001)
    assert high == [750]


def test_a_minute_without_messages_has_no_acknowledgement_times() -> None:
    acks = find(draw({"ack_seconds": [0] * (len(SECONDS) + 1)}), "acks")
    assert acks.values == [[None], [None]]
    assert not acks.has_values


def test_percentiles_of_a_row_are_those_of_all_its_messages() -> None:
    fast, slow = Distribution(), Distribution()
    for _ in range(3):
        fast.add(0.0005)
    slow.add(20.0)
    acks = find(draw({"ack_seconds": fast.counts}, {"ack_seconds": slow.counts}), "acks")
    assert acks.rows[0].texts == ["0.67", "10,000"]


def test_bytes_have_the_unit_of_the_highest_value() -> None:
    memory = find(draw({"memory_bytes": 500_000}, {"memory_bytes": 2_500_000}), "memory")
    assert (memory.unit, memory.values) == ("MB", [[0.5, 2.5]])
    assert memory.rows[0].texts == ["2.50"]
    assert memory.summary == "Last 2.50, highest 2.50 (MB)."


@pytest.mark.parametrize(
    ("size", "text"),
    [(0, "0 bytes"), (999, "999 bytes"), (1_000, "1 kB"), (1_500_000, "1.50 MB"), (25_300_000_000, "25.3 GB")],
)
def test_a_size_has_the_unit_that_fits(size: int, text: str) -> None:
    assert format_bytes(size) == text
    assert format_bytes(5 * 10**15) == "5,000 TB"


def test_numbers_have_as_many_digits_as_people_read() -> None:
    numbers = (12_345, 100.4, 12.34, 12.0, 0.123, 0)
    assert [format_number(number) for number in numbers] == ["12,345", "100", "12.3", "12", "0.12", "0"]


def test_a_percentile_lies_in_its_bucket_as_far_as_its_rank() -> None:
    bounds = (1.0, 2.0, 4.0)
    assert estimate_percentile([0, 0, 4, 0], 0.5, bounds) == 3.0
    assert estimate_percentile([4, 0, 0, 0], 0.25, bounds) == 0.25
    assert estimate_percentile([1, 0, 1, 0], 0.5, bounds) == 1.0
    assert estimate_percentile([1, 0, 1, 0], 1.0, bounds) == 4.0


def test_a_percentile_above_all_bounds_is_the_highest_bound_and_none_without_values() -> None:
    assert estimate_percentile([1, 0, 9], 0.5, (1.0, 2.0)) == 2.0
    assert estimate_percentile([0, 0, 0], 0.5, (1.0, 2.0)) is None
