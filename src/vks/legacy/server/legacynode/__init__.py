"""LegacyNode: port, server, agent and plan of one node, and its way out of the cluster."""
