"""The condition types of the infrastructure objects, and their accumulation in a reconcile."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from vks.kube.conditions import set_condition
from vks.kube.objects import Condition, find_condition
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
#: Written by the cloud controller, under its own field manager.
NODE_HEALTHY = "NodeHealthy"

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


class ConditionSet:
    """The conditions that one controller owns of an object. Others' are left out: under
    server-side apply, writing them would take them over."""

    def __init__(
        self,
        before: Iterable[Condition],
        owned: tuple[str, ...],
        *,
        now: datetime,
        generation: int,
    ) -> None:
        self._conditions = tuple(c for c in before if c.type in owned)
        self._now = now
        self._generation = generation

    def set(self, type_: str, status: bool | str, reason: str, message: str = "") -> None:
        self._conditions = set_condition(
            self._conditions,
            type_,
            status,
            reason,
            message,
            now=self._now,
            observed_generation=self._generation,
        )

    def get(self, type_: str) -> Condition | None:
        return find_condition(self._conditions, type_)

    def is_true(self, type_: str) -> bool:
        condition = self.get(type_)
        return condition is not None and condition.status == "True"

    def all(self) -> tuple[Condition, ...]:
        return self._conditions
