"""What turns a ManagedCluster and its NodePools into the objects that make machines."""
