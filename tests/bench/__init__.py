"""Measurements, each a ratio taken in one run: `python -m tests.bench NAME`."""
