"""A module beside the plugin, which imports it."""

WORDS = ("dull", "bright", "funny", "cold", "tender", "clumsy")
