"""Obtains the upstream programs that a region runs, at their pinned versions."""
