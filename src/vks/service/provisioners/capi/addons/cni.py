"""The default pod network: the standard CNI plugins, configured on every node by a DaemonSet.

The pods of a node get addresses from its podCIDR on a bridge. Traffic between nodes follows the
routes that the cloud controller keeps in the Verda network: nothing is encapsulated, and nothing
is masqueraded, so that a pod is seen under its own address everywhere.
"""

from __future__ import annotations

import json
from typing import Any

from vks.resources.fields import Endpoint

Body = dict[str, Any]

_NAME = "vks-cni"
_NAMESPACE = "kube-system"
_LABELS = {"app.kubernetes.io/name": _NAME}
_POD_CIDR = "POD_CIDR"

#: `POD_CIDR` is replaced on the node: only the node knows it, once it has one.
_CONFLIST = {
    "cniVersion": "1.0.0",
    "name": "vks",
    "plugins": [
        {
            "type": "bridge",
            "bridge": "cni0",
            "isGateway": True,
            "ipMasq": False,
            "hairpinMode": True,
            "ipam": {
                "type": "host-local",
                "ranges": [[{"subnet": _POD_CIDR}]],
                "routes": [{"dst": "0.0.0.0/0"}],
            },
        },
        {"type": "portmap", "capabilities": {"portMappings": True}},
    ],
}

#: Waits by a watch for the podCIDR, then puts the file in place in one step: the container
#: runtime reads the directory whenever something in it changes. A failed wait (the API server
#: is not reachable yet) is tried again after a second, where the kubelet would wait longer.
_CONFIGURE = """\
set -eu
until kubectl wait "node/$NODE_NAME" --for=jsonpath='{.spec.podCIDR}' --timeout=300s; do
  sleep 1
done
cidr=$(kubectl get "node/$NODE_NAME" -o jsonpath='{.spec.podCIDR}')
sed "s|POD_CIDR|$cidr|" /config/conflist > /host/.10-vks.partial
mv /host/.10-vks.partial /host/10-vks.conflist
"""

_STAY = "trap 'exit 0' TERM INT; sleep infinity & wait"


def cni_objects(image: str, endpoint: Endpoint) -> list[Body]:
    """The objects of the add-on. `endpoint` is the API server's: kube-proxy may not run yet."""
    return [_service_account(), _role(), _role_binding(), _config(), _daemon_set(image, endpoint)]


def _meta(*, namespaced: bool) -> Body:
    return {"name": _NAME, "labels": _LABELS} | ({"namespace": _NAMESPACE} if namespaced else {})


def _service_account() -> Body:
    return {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": _meta(namespaced=True)}


def _role() -> Body:
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": _meta(namespaced=False),
        "rules": [{"apiGroups": [""], "resources": ["nodes"], "verbs": ["get", "list", "watch"]}],
    }


def _role_binding() -> Body:
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRoleBinding",
        "metadata": _meta(namespaced=False),
        "roleRef": {
            "apiGroup": "rbac.authorization.k8s.io",
            "kind": "ClusterRole",
            "name": _NAME,
        },
        "subjects": [{"kind": "ServiceAccount", "name": _NAME, "namespace": _NAMESPACE}],
    }


def _config() -> Body:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": _meta(namespaced=True),
        "data": {"conflist": json.dumps(_CONFLIST, indent=2) + "\n"},
    }


def _daemon_set(image: str, endpoint: Endpoint) -> Body:
    return {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": _meta(namespaced=True),
        "spec": {
            "selector": {"matchLabels": _LABELS},
            "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": "25%"}},
            "template": {
                "metadata": {"labels": _LABELS},
                "spec": _pod(image, endpoint),
            },
        },
    }


def _pod(image: str, endpoint: Endpoint) -> Body:
    """Runs everywhere, on the host's network: it is what makes the pod network."""
    return {
        "serviceAccountName": _NAME,
        "hostNetwork": True,
        "priorityClassName": "system-node-critical",
        "terminationGracePeriodSeconds": 5,
        "tolerations": [{"operator": "Exists"}],
        "initContainers": [
            {
                "name": "configure",
                "image": image,
                "imagePullPolicy": "IfNotPresent",
                "command": ["sh", "-c", _CONFIGURE],
                "env": [
                    {
                        "name": "NODE_NAME",
                        "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}},
                    },
                    {"name": "KUBERNETES_SERVICE_HOST", "value": endpoint.host},
                    {"name": "KUBERNETES_SERVICE_PORT", "value": str(endpoint.port)},
                ],
                "volumeMounts": [
                    {"name": "config", "mountPath": "/config", "readOnly": True},
                    {"name": "cni", "mountPath": "/host"},
                ],
            }
        ],
        "containers": [
            {
                "name": "pause",
                "image": image,
                "imagePullPolicy": "IfNotPresent",
                "command": ["sh", "-c", _STAY],
                "resources": {"requests": {"cpu": "1m", "memory": "4Mi"}},
            }
        ],
        "volumes": [
            {"name": "config", "configMap": {"name": _NAME}},
            {
                "name": "cni",
                "hostPath": {"path": "/etc/cni/net.d", "type": "DirectoryOrCreate"},
            },
        ],
    }
