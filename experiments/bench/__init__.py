"""Benchmarks of time: `bench run` for a run's parts, `bench acquisition` for the strategies that choose texts."""
