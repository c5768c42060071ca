"""Runs one region on this machine: supervisor, gateway, management plane, services."""
