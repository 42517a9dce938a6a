"""Policies that play signal_env. A user's own agent needs at most the `Agent` protocol from here."""
