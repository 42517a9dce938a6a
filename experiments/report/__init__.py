"""`python -m experiments report DIR...`: tables, figures and one page over finished runs."""
