"""Benchmarks: `bin/bench NAME [--json]`. The sides of a comparison alternate in one run; figures are medians."""
