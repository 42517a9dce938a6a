"""Benchmarks: of time (`bench run`, `bench acquisition`, ...), of accuracy, and of what must not break a run."""
