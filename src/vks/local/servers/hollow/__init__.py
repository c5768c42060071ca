"""Hollow servers: nothing boots, the user data is acted on by `vks-hollow` (upstream/hollow)."""
