"""Glance: the images that servers boot from."""
