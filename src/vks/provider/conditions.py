"""The condition types of the infrastructure objects."""

from __future__ import annotations

from vks.resources.contract import PAUSED, READY

DELETING = "Deleting"

# VerdaCluster
NETWORK_READY = "NetworkReady"
SERVER_GROUPS_READY = "ServerGroupsReady"
LOAD_BALANCER_READY = "LoadBalancerReady"

# VerdaMachine
PORT_READY = "PortReady"
BOOTSTRAP_DATA_READY = "BootstrapDataReady"
SERVER_READY = "ServerReady"
NODE_REGISTERED = "NodeRegistered"

CLUSTER_CONDITIONS = (
    READY,
    NETWORK_READY,
    SERVER_GROUPS_READY,
    LOAD_BALANCER_READY,
    PAUSED,
    DELETING,
)
MACHINE_CONDITIONS = (
    READY,
    PORT_READY,
    BOOTSTRAP_DATA_READY,
    LOAD_BALANCER_READY,
    SERVER_READY,
    NODE_REGISTERED,
    PAUSED,
    DELETING,
)
PORT_CONDITIONS = (READY, PAUSED, DELETING)
