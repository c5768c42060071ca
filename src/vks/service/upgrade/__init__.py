"""Upgrades: the control plane first, then one pool after the other."""
