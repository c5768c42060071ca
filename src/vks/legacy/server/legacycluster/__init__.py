"""LegacyCluster: network, keys and the set of nodes of one cluster."""
