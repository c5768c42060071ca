"""Writes the reference pages out of the code: `python -m docs.generate docs/reference`."""
