"""Helpers of all packages: storage, threads, optional dependencies, registries, arrays."""
