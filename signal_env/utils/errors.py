"""The base of the package's errors."""


class SignalError(Exception):
    """An error whose message says what was expected, what came, and what to do.

    Every error class of the package for what a user can mend derives from it, and from the built-in class that fits.
    The command line prints it as one line. Every other error keeps its traceback.

    Example:
        >>> from signal_env.rewards import Reward
        >>> try:
        ...     Reward("signal +")
        ... except SignalError as error:
        ...     print(type(error).__name__, isinstance(error, ValueError))
        RewardError True
    """
