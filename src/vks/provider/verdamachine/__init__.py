"""VerdaMachine: port, load-balancer member and server of one machine."""
