"""Phase: Cluster API replaces the nodes that it took over by nodes of its own, one by one."""
