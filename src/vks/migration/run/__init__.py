"""The phase runner: what a migration does next, and how far it came."""
