"""Annotators, which label synthetic texts. Importing this package registers the built-in ones."""

from signal_env.annotators import builtin
from signal_env.annotators.annotator import Annotator, AnnotatorError, annotators, make_annotator, noisy

__all__ = ["Annotator", "AnnotatorError", "annotators", "builtin", "make_annotator", "noisy"]
