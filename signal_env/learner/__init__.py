"""Algorithm 1: the state of an episode and the operations on it. Nothing in here depends on Gymnasium."""

from signal_env.learner.learner import Learner
from signal_env.learner.outcomes import Offer, Round
from signal_env.learner.view import View

__all__ = ["Learner", "Offer", "Round", "View"]
