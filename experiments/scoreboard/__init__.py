"""The scoreboard: a fixed protocol, reference runs that ship with the package, and scores against them.

Example:
    >>> from experiments.scoreboard.references import read_references
    >>> references = read_references()
    >>> references.methods["random"]["agent"]
    'random'
"""
