"""Figures of several intervals, and of several processes, as those of one."""

from chatapp.telemetry.status.figures import FIGURES, Figures, Value, merge_processes, merge_times, subtract

FIRST: Figures = {
    "messages": 3,
    "ack_seconds": [1, 0, 2],
    "slow_queries": 1,
    "cpu_seconds": 0.5,
    "people": 7,
    "sockets": 9,
    "spooled": 0,
    "memory_bytes": 100,
    "database_bytes": 5_000,
    "disk_free": 0.5,
}

SECOND: Figures = {
    "messages": 4,
    "ack_seconds": [0, 1, 1],
    "slow_queries": 0,
    "cpu_seconds": 0.25,
    "people": 6,
    "sockets": 10,
    "spooled": 2,
    "memory_bytes": 80,
    "database_bytes": 6_000,
    "disk_free": 0.25,
}

COUNTS: Figures = {"messages": 7, "ack_seconds": [1, 1, 3], "slow_queries": 1, "cpu_seconds": 0.75}

EXTREMES: Figures = {"people": 7, "database_bytes": 6_000, "disk_free": 0.25}


def test_the_examples_have_all_figures() -> None:
    assert FIRST.keys() == SECOND.keys() == FIGURES.keys()


def test_over_time_counts_are_added_and_of_all_else_the_worst_is_kept() -> None:
    highest: dict[str, Value] = {"sockets": 10, "spooled": 2, "memory_bytes": 100}
    assert merge_times([FIRST, SECOND]) == COUNTS | EXTREMES | highest


def test_over_processes_counts_and_the_parts_of_each_process_are_added() -> None:
    sums: dict[str, Value] = {"sockets": 19, "spooled": 2, "memory_bytes": 180}
    assert merge_processes([FIRST, SECOND]) == COUNTS | EXTREMES | sums


def test_the_order_does_not_matter() -> None:
    assert merge_times([SECOND, FIRST]) == merge_times([FIRST, SECOND])
    assert merge_processes([SECOND, FIRST]) == merge_processes([FIRST, SECOND])


def test_a_figure_that_only_some_know_is_that_of_those() -> None:
    assert merge_processes([{"messages": 3}, {"disk_free": 0.5}, {"messages": 1}]) == {"messages": 4, "disk_free": 0.5}
    assert merge_times([]) == {}


def test_a_figure_of_another_version_is_left_out() -> None:
    assert merge_times([{"messages": 3, "other": 1}, {"other": 2}]) == {"messages": 3}


def test_merging_changes_none_of_the_figures() -> None:
    first: Figures = {"ack_seconds": [1, 2]}
    merge_times([first, {"ack_seconds": [5, 5]}])
    assert first == {"ack_seconds": [1, 2]}


def test_the_growth_of_a_counter_and_of_a_distribution() -> None:
    assert subtract(7, 3) == 4
    assert subtract([1, 5, 2], [1, 2, 0]) == [0, 3, 2]
