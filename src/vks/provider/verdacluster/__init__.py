"""VerdaCluster: network, security group, server groups and load balancer of one cluster."""
