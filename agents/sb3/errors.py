"""The error of this package; importing it needs no Stable-Baselines3."""

from signal_env.utils.errors import SignalError


class PolicyError(SignalError, ValueError):
    """A policy that cannot be saved, loaded or played; the message gives the reason."""
