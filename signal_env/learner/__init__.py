"""Algorithm 1: the state of an episode and its verbs. Nothing in here knows Gymnasium."""
