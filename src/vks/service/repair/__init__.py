"""Tells the story of repairs: who was found ill and why, and that it has been replaced."""
