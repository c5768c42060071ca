"""Neutron: networks, subnets, ports, routers, security groups."""
