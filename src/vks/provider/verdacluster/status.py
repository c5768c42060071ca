"""Pure: from what the phases came to, the status and conditions of a VerdaCluster."""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec

from vks.kube.conditions import ConditionSet, conditions_body
from vks.provider.conditions import (
    LOAD_BALANCER_READY,
    NETWORK_READY,
    SERVER_GROUPS_READY,
)
from vks.resources.contract import READY
from vks.resources.fields import Endpoint
from vks.resources.verdacluster import (
    FailureDomain,
    LoadBalancerStatus,
    NetworkStatus,
    ServerGroupsStatus,
    VerdaCluster,
    VerdaClusterStatus,
)
from vks.runtime.result import Waiting
from vks.verda.errors import CloudError
from vks.verda.failures import Failure, reason_of

T = TypeVar("T")
PHASES = (NETWORK_READY, SERVER_GROUPS_READY, LOAD_BALANCER_READY)


class Outcome(msgspec.Struct, frozen=True):
    """What the phases of one reconcile came to: their part of the status, or why not."""

    network: NetworkStatus | Failure
    server_groups: ServerGroupsStatus | Failure
    load_balancer: LoadBalancerStatus | Failure

    @property
    def failures(self) -> list[Failure]:
        parts = (self.network, self.server_groups, self.load_balancer)
        return [part for part in parts if isinstance(part, CloudError | Waiting)]


def decide_status(
    cluster: VerdaCluster, outcome: Outcome, conditions: ConditionSet
) -> VerdaClusterStatus:
    """The new status, without conditions, which are set in `conditions`. What a phase reached
    once is kept when it fails later; `provisioned` never goes back."""
    old = cluster.status
    network = _settle(conditions, NETWORK_READY, outcome.network, old.network)
    groups = _settle(conditions, SERVER_GROUPS_READY, outcome.server_groups, old.server_groups)
    balancer = _settle(conditions, LOAD_BALANCER_READY, outcome.load_balancer, old.load_balancer)
    ready = not outcome.failures
    if ready:
        conditions.set(READY, True, "Provisioned")
    else:
        conditions.set(READY, False, *reason_of(outcome.failures[0]))
    provisioned = True if ready else old.initialization.provisioned
    return msgspec.structs.replace(
        old,
        initialization=msgspec.structs.replace(old.initialization, provisioned=provisioned),
        failure_domains=failure_domains(cluster),
        network=network,
        server_groups=groups,
        load_balancer=balancer,
    )


def _settle(conditions: ConditionSet, type_: str, result: T | Failure, old: T) -> T:
    if isinstance(result, CloudError | Waiting):
        conditions.set(type_, False, *reason_of(result))
        return old
    conditions.set(type_, True, "Provisioned")
    return result


def failure_domains(cluster: VerdaCluster) -> tuple[FailureDomain, ...]:
    """`spec.failureDomains` in the list form of the contract."""
    return tuple(
        FailureDomain(name=name, control_plane=domain.control_plane)
        for name, domain in sorted(cluster.spec.failure_domains.items())
    )


def endpoint_of(cluster: VerdaCluster, outcome: Outcome, port: int) -> Endpoint | None:
    """The endpoint to publish, or None while there is none."""
    given = cluster.spec.control_plane_endpoint or Endpoint()
    balancer = outcome.load_balancer
    if not isinstance(balancer, LoadBalancerStatus):
        balancer = cluster.status.load_balancer
    host = given.host or balancer.vip_address
    return Endpoint(host=host, port=given.port or port) if host else None


def status_body(status: VerdaClusterStatus, conditions: ConditionSet) -> dict[str, Any]:
    """The status as an apply body: whatever was never set is left out."""
    body: dict[str, Any] = msgspec.to_builtins(status)
    body["conditions"] = conditions_body(conditions.all())
    if status.initialization.provisioned is None:
        del body["initialization"]
    return body
