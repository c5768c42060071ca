"""Fleets: many migrations, never more than a number of them at a time."""
