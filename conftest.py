"""Collect the doctests of parts that need an extra only where it is installed."""

from importlib.util import find_spec

collect_ignore = [] if find_spec("openenv") else ["signal_env/trainers/openenv"]
