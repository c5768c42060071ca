"""What nodes are told, and which routes there are to be."""

from __future__ import annotations

from vks.kube.objects import ObjectMeta
from vks.provider.cloudcontroller.node import (
    UNINITIALIZED,
    Health,
    addresses_patch,
    health_of,
    is_news,
    labels_of,
    node_patch,
    place_of,
)
from vks.resources.core import CoreCondition, Node, NodeSpec, NodeStatus, Pod, PodStatus
from vks.resources.fields import MachineAddress, Taint
from vks.verda.network import Route
from vks.verda.routes import desired_routes, route_change

PODS = ("10.244.0.0/16",)


def node(name: str = "n", ip: str = "", cidr: str = "", taints: tuple[Taint, ...] = ()) -> Node:
    addresses = (MachineAddress(type="InternalIP", address=ip),) if ip else ()
    return Node(
        metadata=ObjectMeta(name=name),
        spec=NodeSpec(pod_cidr=cidr, taints=taints),
        status=NodeStatus(addresses=addresses),
    )


READY = CoreCondition(type="Ready", status="True")
STARTING = CoreCondition(type="Ready", status="False", message="no network yet")


def pod(name: str, condition: CoreCondition = READY) -> Pod:
    labels = {"tier": "control-plane", "component": name}
    return Pod(metadata=ObjectMeta(labels=labels), status=PodStatus(conditions=(condition,)))


UP = [pod(f"kube-{name}") for name in ("apiserver", "controller-manager", "scheduler")]


def with_condition(condition: CoreCondition) -> Node:
    return Node(metadata=ObjectMeta(name="n"), status=NodeStatus(conditions=(condition,)))


def test_a_worker_is_as_healthy_as_its_node() -> None:
    assert health_of(with_condition(READY), None).healthy
    assert health_of(with_condition(STARTING), None) == (False, "NodeNotReady", "no network yet")
    assert health_of(node(), None).message == "no Ready condition yet"


def test_that_a_new_worker_is_not_ready_yet_is_no_news() -> None:
    starting = health_of(with_condition(STARTING), None)
    assert not is_news(starting, control_plane=False)
    assert is_news(starting, control_plane=True)
    assert is_news(health_of(with_condition(READY), None), control_plane=False)
    assert is_news(Health(False, "NoPodNetwork"), control_plane=False)


def test_a_control_plane_is_healthy_when_all_of_its_parts_are_up() -> None:
    assert health_of(with_condition(READY), UP).healthy
    for pods in ([], UP[:2], [*UP, pod("etcd", STARTING)]):
        assert health_of(with_condition(READY), pods).reason == "ControlPlaneNotReady"


def test_that_a_control_plane_is_up_shows_before_its_node_is_ready() -> None:
    messages = {health_of(with_condition(STARTING), pods).message for pods in ([], UP[:1], UP[:2])}
    assert messages == {"the control plane is starting; no network yet"}
    seen = health_of(with_condition(STARTING), UP)
    assert seen == (False, "NodeNotReady", "the control plane is up; no network yet")


def test_a_node_that_lacks_nothing_but_a_pod_network_is_told_apart() -> None:
    said = "container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady"
    waits = with_condition(CoreCondition(type="Ready", status="False", message=said))
    more = f"[{said}, CSINode is not yet initialized]"
    assert health_of(waits, None) == (False, "NoPodNetwork", said)
    assert health_of(waits, UP).reason == "NoPodNetwork"
    assert health_of(waits, UP[:2]).reason == "NodeNotReady", "its control plane is not up either"
    other = with_condition(CoreCondition(type="Ready", status="False", message=more))
    assert health_of(other, None).reason == "NodeNotReady"


def test_only_our_provider_ids_have_a_place() -> None:
    assert place_of("verda:///tokyo/tokyo-1/id") == ("tokyo", "tokyo-1")
    for foreign in ("aws:///a/b/c", "verda:///tokyo/id", "verda:////tokyo-1/id", ""):
        assert place_of(foreign) is None
        assert labels_of(foreign, "small") == {}


def test_the_taint_is_taken_away_by_its_key_and_others_stay() -> None:
    taints = (
        Taint(key="a", effect="NoSchedule"),
        Taint(key=UNINITIALIZED, value="true", effect="NoSchedule"),
    )
    tests, ops = node_patch(node(taints=taints), {}, frozenset({UNINITIALIZED}))
    assert tests == [{"op": "test", "path": "/spec/taints/1/key", "value": UNINITIALIZED}]
    assert ops == [{"op": "remove", "path": "/spec/taints/1"}]


def test_several_taints_go_from_the_end_so_that_the_places_of_the_others_hold() -> None:
    keys = ("script", "other", UNINITIALIZED)
    taints = tuple(Taint(key=key, effect="NoSchedule") for key in keys)
    _, ops = node_patch(node(taints=taints), {}, frozenset({"script", UNINITIALIZED}))
    removed = [op["path"] for op in ops]
    assert removed == ["/spec/taints/2", "/spec/taints/0"]


def test_a_node_without_labels_gets_the_map_first() -> None:
    _, ops = node_patch(node(), {"topology.kubernetes.io/zone": "a"}, frozenset())
    assert [op["path"] for op in ops] == [
        "/metadata/labels",
        "/metadata/labels/topology.kubernetes.io~1zone",
    ]


def test_an_initialized_node_is_left_alone() -> None:
    address = MachineAddress(type="InternalIP", address="10.0.0.1")
    assert node_patch(node(), {}, frozenset({UNINITIALIZED})).ops == []
    assert addresses_patch(node(ip="10.0.0.1"), (address,)) is None


def test_each_node_has_a_route_to_its_pods_once_its_address_is_known() -> None:
    nodes = [node("a", "10.60.1.5", "10.244.0.0/24"), node("b", "", "10.244.1.0/24")]
    assert desired_routes(nodes) == [Route("10.244.0.0/24", "10.60.1.5")]


def test_only_routes_into_the_pod_ranges_are_removed() -> None:
    wanted = [Route("10.244.0.0/24", "10.60.1.5")]
    present = [
        Route("10.244.0.0/24", "10.60.1.9"),  # a re-created node got another address
        Route("10.244.9.0/24", "10.60.1.7"),
        Route("172.16.0.0/12", "10.60.1.1"),  # somebody else's
        Route("fd00::/64", "fd00::1"),
    ]
    change = route_change(wanted, present, PODS)
    assert change.add == wanted
    assert change.remove == present[:2]
    assert route_change(wanted, wanted, PODS) == ([], [])
