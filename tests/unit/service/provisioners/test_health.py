"""How long a pool's machines are waited for."""

from __future__ import annotations

from typing import Any

import msgspec
from tests.unit.service.builders import managed_cluster, node_pool

from vks.resources.managedcluster import ClusterNetworkSpec
from vks.resources.nodepool import (
    AutoscalingSpec,
    NodePool,
    NodePoolStatus,
    UserScriptSpec,
    ZoneStatus,
)
from vks.service.provisioners.capi.health import (
    control_plane_health,
    pool_health,
    unhealthy_limit,
)
from vks.service.provisioners.capi.workers import pool_templates


def check_of(pool: NodePool) -> dict[str, Any]:
    spec: dict[str, Any] = pool_health(managed_cluster(), pool).body["spec"]
    return spec


def test_a_machine_reports_its_console_before_it_is_replaced_however_long_pre_may_take() -> None:
    pool = node_pool(user_script=UserScriptSpec(pre="x", timeout_seconds=3600))
    machines, _ = pool_templates(managed_cluster(), pool)
    reports = machines.body["spec"]["template"]["spec"]["nodeStartupTimeoutSeconds"]
    assert check_of(pool)["checks"]["nodeStartupTimeoutSeconds"] > reports > 3600
    only_post = node_pool(user_script=UserScriptSpec(post="x", timeout_seconds=3600))
    assert check_of(only_post)["checks"] == check_of(node_pool())["checks"]


def test_a_node_is_not_replaced_for_want_of_a_network_that_its_user_brings() -> None:
    """Another one would want it as much; a silent one is replaced all the same."""
    bare = managed_cluster(network=ClusterNetworkSpec(cni="none"))
    for check in (pool_health(bare, node_pool()), control_plane_health(bare)):
        conditions = check.body["spec"]["checks"]["unhealthyNodeConditions"]
        assert [(c["type"], c["status"]) for c in conditions] == [("Ready", "Unknown")]
    ours = check_of(node_pool())["checks"]["unhealthyNodeConditions"]
    assert {condition["status"] for condition in ours} == {"Unknown", "False"}


def test_the_limit_of_repair_goes_with_the_size_that_the_autoscaler_chose() -> None:
    zones = (ZoneStatus(name="tokyo-1", desired=20),)
    pool = node_pool(replicas=0, autoscaling=AutoscalingSpec(min=0, max=30))
    pool = msgspec.structs.replace(pool, status=NodePoolStatus(zones=zones))
    limit = check_of(pool)["remediation"]["triggerIf"]["unhealthyLessThanOrEqualTo"]
    assert limit == unhealthy_limit(20) > 1
