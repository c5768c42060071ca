"""Pods that stand for a control plane's services: Cluster API looks for static pods, finds members
of etcd through them, and asks them for their readiness, which is that of the real process.

Names, labels and annotations are kubeadm's (cluster-api, controlplane/kubeadm/internal).
"""

from __future__ import annotations

from typing import Any

from vks.kube.client import Client
from vks.kube.objects import Resource
from vks.migration.run.scope import FIELD_MANAGER, Scope
from vks.resources.core import Pod
from vks.resources.legacynode import LegacyNode
from vks.runtime.result import Waiting

_NODES = Resource("", "v1", "Node", "nodes", namespaced=False)
_NAMESPACE = "kube-system"
STAND_IN = "vks.verda/stand-in"
POLL = 1.0
Body = dict[str, Any]


class StandIns:
    name = "StandIns"

    async def do(self, scope: Scope) -> None:
        workload = await scope.workload()
        present = await _present(workload)
        wanted = {}
        for node in scope.control_planes:
            for body in await _pods(workload, node, present.keys()):
                wanted[body["metadata"]["name"]] = body
        for name, body in wanted.items():
            if name not in present:
                await workload.create(Pod, body, field_manager=FIELD_MANAGER)
        names = {n for node in scope.control_planes for n in _names(node.metadata.name)}
        for name in present.keys() - names:
            await workload.delete(Pod, name, _NAMESPACE)  # its node is gone
        unready = sorted(n for n in names if n not in present or not present[n].ready)
        if unready:
            raise Waiting("StandInsNotReady", f"not ready: {', '.join(unready)}", POLL)

    async def undo(self, scope: Scope) -> None:
        workload = await scope.workload()
        present = await _present(workload)
        for pod in present.values():
            if not pod.deleting:
                await workload.delete(Pod, pod.metadata.name, _NAMESPACE, uid=pod.metadata.uid)
        if present:
            raise Waiting("StandInsGo", f"{len(present)} pods left", POLL)


async def _present(workload: Client) -> dict[str, Pod]:
    found = await workload.list(Pod, _NAMESPACE, label_selector=STAND_IN)
    return {pod.metadata.name: pod for pod in found.items}


async def _pods(workload: Client, node: LegacyNode, present: Any) -> list[Body]:
    """What is missing of a node's pods. Raises Waiting when its image is."""
    name = node.metadata.name
    if set(_names(name)) <= set(present):
        return []
    image = pause_image(await workload.get(_NODES, name))
    if image is None:
        raise Waiting("ImageMissing", f"{name} has no image for a pod that does nothing", 5.0)
    return stand_ins(name, node.status.address, image)


def pause_image(node: Body) -> str | None:
    """An image for a process that does nothing, which every node has: the kubelet uses it."""
    names = [n for image in node["status"].get("images", ()) for n in image.get("names") or ()]
    tagged = (n for n in names if n.rpartition(":")[0].endswith("/pause") and "@" not in n)
    return next(iter(sorted(tagged)), None)


def _names(node: str) -> list[str]:
    return [f"{component}-{node}" for component in _probes("")]


def _probes(address: str) -> dict[str, Body]:
    """What each component answers about itself: etcd where its metrics are."""
    return {
        "etcd": {"host": "127.0.0.1", "port": 2381, "path": "/readyz", "scheme": "HTTP"},
        "kube-apiserver": {"host": address, "port": 6443, "path": "/readyz", "scheme": "HTTPS"},
        "kube-controller-manager": {
            "host": "127.0.0.1", "port": 10257, "path": "/healthz", "scheme": "HTTPS",
        },
        "kube-scheduler": {
            "host": "127.0.0.1", "port": 10259, "path": "/readyz", "scheme": "HTTPS",
        },
    }  # fmt: skip


def stand_ins(node: str, address: str, image: str) -> list[Body]:
    """Four pods, bound to the node, that no drain takes along."""
    annotations = {
        "etcd": {"kubeadm.kubernetes.io/etcd.advertise-client-urls": f"https://{address}:2379"},
        "kube-apiserver": {
            "kubeadm.kubernetes.io/kube-apiserver.advertise-address.endpoint": f"{address}:6443"
        },
    }
    return [
        {
            "metadata": {
                "name": f"{component}-{node}",
                "namespace": _NAMESPACE,
                "labels": {
                    "component": component,
                    "tier": "control-plane",
                    "cluster.x-k8s.io/drain": "skip",
                    STAND_IN: "",
                },
                "annotations": annotations.get(component, {}),
            },
            "spec": {
                "nodeName": node,
                "hostNetwork": True,
                "priorityClassName": "system-node-critical",
                "automountServiceAccountToken": False,
                "enableServiceLinks": False,
                "tolerations": [{"operator": "Exists"}],
                "terminationGracePeriodSeconds": 1,
                "containers": [
                    {
                        "name": component,
                        "image": image,
                        "imagePullPolicy": "IfNotPresent",
                        "readinessProbe": {
                            "httpGet": probe,
                            "periodSeconds": 2,
                            "timeoutSeconds": 3,
                        },
                    }
                ],
            },
        }
        for component, probe in _probes(address).items()
    ]
