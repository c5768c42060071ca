"""Loaded by the real OpenStack services, in their own venv; never by the product."""
