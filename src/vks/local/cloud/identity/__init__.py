"""Keystone v3: who is who, and who may do what where."""
