"""The measurements: `bin/bench NAME [--json]`. Sides that are compared take turns in one run; figures are medians."""
