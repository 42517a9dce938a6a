"""The command line: `python -m experiments`, also installed as `signal-env`."""
