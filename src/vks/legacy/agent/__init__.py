"""Runs on the nodes, with nothing but Python's standard library: it travels in user data."""
