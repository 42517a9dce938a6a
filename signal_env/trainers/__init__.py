"""Doors for other people's trainers: a shared experiment in the form that each of them takes."""
