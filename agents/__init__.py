"""Policies that play signal_env. A user's own agent needs nothing from here but, if it likes, the `Agent` protocol."""
