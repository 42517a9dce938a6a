"""signal_env: generative active learning as a Gymnasium environment. Importing it registers the environment ids."""

from signal_env.registration import register_environments

__version__ = "0.1.0"

register_environments()
