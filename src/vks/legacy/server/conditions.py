"""The condition types of LegacyClusters and LegacyNodes."""

from __future__ import annotations

from vks.resources.contract import READY
from vks.resources.legacycluster import RELEASED

DELETING = "Deleting"

# LegacyCluster
NETWORK_READY = "NetworkReady"
CONTROL_PLANE_READY = "ControlPlaneReady"
ADD_ONS_APPLIED = "AddOnsApplied"
#: False with this reason: no agent of the cluster is connected, so nobody acts for it.
AGENTS_CONNECTED = "AgentsConnected"
OWNER_DISAPPEARED = "ClusterOwnerDisappeared"

# LegacyNode
SERVER_READY = "ServerReady"
AGENT_CONNECTED = "AgentConnected"
PLAN_APPLIED = "PlanApplied"
SERVICES_HEALTHY = "ServicesHealthy"
NODE_READY = "NodeReady"

CLUSTER_CONDITIONS = (
    READY,
    NETWORK_READY,
    CONTROL_PLANE_READY,
    ADD_ONS_APPLIED,
    AGENTS_CONNECTED,
    RELEASED,
    DELETING,
)
NODE_CONDITIONS = (
    READY,
    SERVER_READY,
    AGENT_CONNECTED,
    PLAN_APPLIED,
    SERVICES_HEALTHY,
    NODE_READY,
    RELEASED,
    DELETING,
)
