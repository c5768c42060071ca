"""Marks of Nodes come and go without touching what others put there."""

from __future__ import annotations

import msgspec

from vks.kube.objects import ObjectMeta
from vks.migration.prepare.nodes import CONTROL_PLANE, LEGACY_LABEL, TAINT, marks
from vks.resources.core import Node, NodeSpec
from vks.resources.fields import Taint

OTHER = Taint(key="node-role.kubernetes.io/etcd", effect="NoExecute", value="true")
PLAIN = Node(metadata=ObjectMeta(name="a", labels={"zone": "z1"}), spec=NodeSpec(taints=(OTHER,)))
MARKED = Node(
    metadata=ObjectMeta(name="a", labels={"zone": "z1", LEGACY_LABEL: "true", CONTROL_PLANE: ""}),
    spec=NodeSpec(taints=(OTHER, TAINT)),
)


def test_a_control_plane_gets_its_role_and_keeps_its_taints() -> None:
    patch = marks(PLAIN, control_plane=True, wanted=True)
    assert patch == {
        "metadata": {"labels": {LEGACY_LABEL: "true", CONTROL_PLANE: ""}},
        "spec": {"taints": [msgspec.to_builtins(OTHER), msgspec.to_builtins(TAINT)]},
    }
    assert marks(MARKED, control_plane=True, wanted=True) is None


def test_a_worker_is_labelled_only() -> None:
    patch = marks(PLAIN, control_plane=False, wanted=True)
    assert patch == {"metadata": {"labels": {LEGACY_LABEL: "true"}}}


def test_the_way_back_leaves_what_was_there_before() -> None:
    patch = marks(MARKED, control_plane=True, wanted=False)
    assert patch == {
        "metadata": {"labels": {LEGACY_LABEL: None, CONTROL_PLANE: None}},
        "spec": {"taints": [msgspec.to_builtins(OTHER)]},
    }
    assert marks(PLAIN, control_plane=True, wanted=False) is None
