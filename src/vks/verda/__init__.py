"""Client of the Verda cloud: identity, compute, network, load balancer."""
