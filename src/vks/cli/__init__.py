"""The vks command."""
