"""Annotators: who labels synthetic texts."""

from signal_env.annotators.annotator import Annotator, AnnotatorError, annotators, make_annotator, noisy

__all__ = ["Annotator", "AnnotatorError", "annotators", "make_annotator", "noisy"]
