"""What speaks against an upgrade: pure functions of what was found."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import msgspec
import pytest
from tests.unit.service.builders import managed_cluster, node_pool

from vks.kube.objects import Condition, ObjectMeta
from vks.resources.fields import LocalReference
from vks.resources.nodepool import NodePool, StaticIPSpec
from vks.resources.verdaport import (
    SlotClaim,
    SlotSpec,
    VerdaPort,
    VerdaPortPool,
    VerdaPortPoolSpec,
    VerdaPortPoolStatus,
    VerdaPortSpec,
)
from vks.service.api.models import UpgradeCheck
from vks.service.api.offer import Offer
from vks.service.api.upgrades import Facts, checks
from vks.service.api.workload import parse_deprecated
from vks.service.provisioners.legacy.addresses import PortPool
from vks.verda.compute import Flavor
from vks.verda.network import Usage

TARGET = "v1.36.3"
QUOTAS = ("instances", "cores", "ram", "ports")

METRICS = """\
# TYPE apiserver_requested_deprecated_apis gauge
apiserver_requested_deprecated_apis{group="",removed_release="",resource="endpoints",version="v1"} 1
apiserver_requested_deprecated_apis{group="a.io",removed_release="1.36",resource="things",\
version="v1beta1"} 1
apiserver_requested_deprecated_apis{group="b.io",removed_release="1.37",resource="x",version="v1"} 1
apiserver_requested_deprecated_apis{group="c.io",removed_release="1.36",resource="y",version="v1"} 0
"""


def offer(**quotas: Usage) -> Offer:
    flavors = (Flavor("1", "small", 2, 2048), Flavor("2", "large", 8, 8192))
    limits = dict.fromkeys(QUOTAS, Usage()) | quotas
    return Offer((), flavors, (), (), (), limits, ())


def static_pool(size: int, slots: int, **spec: Any) -> NodePool:
    named = tuple(SlotSpec(name=str(number)) for number in range(1, slots + 1))
    return node_pool("edge", replicas=size, static_ip=StaticIPSpec(slots=named), **spec)


def reserved(status: str = "True", message: str = "") -> VerdaPortPool:
    ready = Condition(type="Ready", status=status, reason="Reserved", message=message)
    return VerdaPortPool(
        metadata=ObjectMeta(name="demo.edge"),
        spec=VerdaPortPoolSpec(cluster_name="demo"),
        status=VerdaPortPoolStatus(conditions=(ready,)),
    )


def port_pool(pool: VerdaPortPool, *ports: VerdaPort) -> PortPool:
    return PortPool(pool, {port.metadata.name: port for port in ports})


def port(slot: int, kind: str | None = None) -> VerdaPort:
    claim = None if kind is None else SlotClaim(kind=kind, name="x", owner="x")  # type: ignore[arg-type]
    spec = VerdaPortSpec(
        cluster_name="demo", pool_ref=LocalReference(name="demo.edge"), claim=claim
    )
    return VerdaPort(metadata=ObjectMeta(name=f"demo.edge.{slot}"), spec=spec)


FACTS = Facts(managed_cluster(version="v1.35.4"), [], offer(), [], [], [])


def found(name: str, **facts: Any) -> UpgradeCheck:
    (check,) = [c for c in checks(replace(FACTS, **facts), TARGET) if c.name == name]
    return check


def test_an_api_in_use_that_goes_away_blocks_and_others_do_not() -> None:
    check = found("DeprecatedAPIs", deprecated=parse_deprecated(METRICS))
    assert (check.status, check.objects) == ("Blocked", ["a.io/v1beta1 things"])
    assert TARGET in check.message


def test_the_room_that_is_needed_is_what_a_pool_may_surge_as_a_whole() -> None:
    pool = node_pool(replicas=9, max_surge=2)
    enough = offer(instances=Usage(limit=10, used=8))
    assert found("SurgeQuota", pools=[pool], offer=enough).status == "Passed"
    check = found("SurgeQuota", pools=[pool], offer=offer(instances=Usage(limit=10, used=9)))
    assert check.message == "2 instances wanted, 1 free of 10: 1 missing"
    full = offer(instances=Usage(limit=10, used=9))
    assert found("SurgeQuota", pools=[static_pool(3, 3)], offer=full).status == "Passed"
    spare = found("SurgeQuota", pools=[static_pool(3, 5, max_surge=3)], offer=full)
    assert spare.message == "2 instances wanted, 1 free of 10: 1 missing"


@pytest.mark.parametrize(
    ("ports", "pool", "says"),
    [
        ([port(1), port(2)], reserved(), ""),
        ([port(1, "VerdaMachine"), port(2)], reserved(), ""),
        ([port(1), port(2)], None, "the addresses are being reserved"),
        ([port(1)], reserved("False", "slot 2: 10.0.0.9 is taken"), "slot 2: 10.0.0.9 is taken"),
        ([port(1), port(2, "IPAddressClaim")], reserved(), "2 nodes and 1 slots for them"),
    ],
)
def test_nodes_with_static_addresses_must_find_one_again(
    ports: list[VerdaPort], pool: VerdaPortPool | None, says: str
) -> None:
    pools = [static_pool(2, 2), node_pool()]
    check = found("IPSlots", pools=pools, port_pools=[port_pool(pool, *ports)] if pool else [])
    blocked = ("Blocked", f"pool edge: {says}", ["edge"])
    assert (check.status == "Passed") is (says == "")
    assert says == "" or (check.status, check.message, check.objects) == blocked


def test_a_pool_without_a_spare_slot_says_that_nodes_go_first() -> None:
    facts: dict[str, Any] = {"port_pools": [port_pool(reserved(), port(1), port(2), port(3))]}
    tight = found("IPSlots", pools=[static_pool(3, 3)], **facts)
    assert "nodes go before the new ones come in edge" in tight.message
    roomy = found("IPSlots", pools=[static_pool(2, 3)], **facts)
    assert roomy.message == "every node finds an address again"
    assert found("IPSlots").message == "no pool has static addresses"


def test_a_pool_that_was_left_behind_is_named_before_kubernetes_refuses_it() -> None:
    late = msgspec.structs.replace(node_pool(), spec=node_pool(version="v1.32.0").spec)
    check = found("VersionSkew", pools=[late])
    assert (check.status, check.objects) == ("Blocked", ["default"])
