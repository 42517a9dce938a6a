"""The error of this package; importing it needs no Stable-Baselines3."""


class PolicyError(ValueError):
    """A policy that cannot be saved, loaded or played; the message gives the reason."""
