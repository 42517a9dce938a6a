"""Helpers shared by all packages: storage, threads, optional dependencies, registries and prediction arrays."""
