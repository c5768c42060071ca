"""Operation: one requested change, followed to its end."""
