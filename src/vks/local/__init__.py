"""Turns one Linux machine into a Verda region, with real parts."""
