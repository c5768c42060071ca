"""Phase: Cluster API takes a cluster over as it is. No node is replaced by it."""
