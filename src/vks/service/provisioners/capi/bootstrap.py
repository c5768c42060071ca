"""How kubeadm runs on the servers: the part of the specs that becomes user data.

Any change of what these functions return for an unchanged cluster replaces every machine of
every cluster on the day that it is deployed. The golden files of the tests hold them still.
Values are data, serialised by Cluster API or by a YAML writer, never pasted into text; what
cloud-init fills in on the server is a jinja expression as a whole value.
"""

from __future__ import annotations

from typing import Any

import msgspec
import yaml

from vks.resources.fields import SSH_USER, SSH_USER_SUDO
from vks.resources.managedcluster import BootstrapSpec, InheritedSpec, ManagedCluster
from vks.resources.nodepool import NodePool
from vks.service.provisioners.capi import userscript
from vks.service.provisioners.capi.inherited import cluster_configuration, encryption_files

Body = dict[str, Any]

_KUBE_PROXY_FILE = "/etc/kubernetes/vks/kube-proxy.yaml"
_INIT_CONFIG = "/run/kubeadm/kubeadm.yaml"
_PATCHES = "/etc/kubernetes/patches"
_STATIC_PODS = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler")
#: How long a part may take to start before the kubelet starts it again: kubeadm's own figure.
_STARTUP_SECONDS = 240


def control_plane_config(cluster: ManagedCluster) -> Body:
    """`kubeadmConfigSpec` of a KubeadmControlPlane."""
    bootstrap = bootstrap_of(cluster)
    patches = _startup_probes(bootstrap)
    node: Body = {"nodeRegistration": _node_registration(cluster)}
    if patches:
        node["patches"] = {"directory": _PATCHES}
    return {
        "clusterConfiguration": cluster_configuration(cluster.spec.inherited or InheritedSpec()),
        "initConfiguration": node,
        "joinConfiguration": node,
        "files": [
            _file(_KUBE_PROXY_FILE, _kube_proxy_document(bootstrap)),
            *patches,
            *encryption_files(cluster.spec.inherited),
        ],
        # Cluster API has no field for it, and kubeadm reads it only from the file of `init`,
        # which the machines that join do not have.
        "preKubeadmCommands": [
            f"test ! -f {_INIT_CONFIG} || cat {_KUBE_PROXY_FILE} >> {_INIT_CONFIG}"
        ],
        **_users(cluster.spec.ssh_public_key),
    }


def worker_config(cluster: ManagedCluster, pool: NodePool) -> Body:
    """The spec of a worker's KubeadmConfig.

    Labels and taints of the pool are not in it: they change without replacing nodes.
    """
    registration = _node_registration(cluster)
    users = _users(pool.spec.ssh_public_key or cluster.spec.ssh_public_key)
    script = pool.spec.user_script
    if script is None:
        return {"joinConfiguration": {"nodeRegistration": registration}, **users}
    if script.on_failure == "FailNode":
        registration["taints"] = [msgspec.to_builtins(userscript.PENDING)]
    return {
        "joinConfiguration": {"nodeRegistration": registration},
        "files": userscript.files(script),
        "preKubeadmCommands": userscript.pre_commands(),
        "postKubeadmCommands": userscript.post_commands(),
        **users,
    }


def worker_meaning(cluster: ManagedCluster, pool: NodePool) -> Body | None:
    """What `worker_config` says apart from how its files are packed; None when it has none."""
    script = pool.spec.user_script
    if script is None:
        return None
    return {**worker_config(cluster, pool), "files": userscript.meaning(script)}


def _users(ssh_public_key: str | None) -> Body:
    """Who may log in: nobody without a key, and then the field is absent."""
    if ssh_public_key is None:
        return {}
    user = {"name": SSH_USER, "shell": "/bin/bash", "sudo": SSH_USER_SUDO}
    return {"users": [{**user, "sshAuthorizedKeys": [ssh_public_key]}]}


def bootstrap_of(cluster: ManagedCluster) -> BootstrapSpec:
    return cluster.spec.bootstrap or BootstrapSpec()


def _node_registration(cluster: ManagedCluster) -> Body:
    """The Node is named after the server and knows which server it is from the first moment.

    No blanks in the expressions: Cluster API's YAML writer folds long lines at blanks.
    """
    provider_id = (
        f"verda:///{cluster.spec.region}"
        "/{{ds.meta_data.availability_zone}}/{{ds.meta_data.uuid}}"
    )
    registration: Body = {
        "name": "{{ds.meta_data.name}}",
        "kubeletExtraArgs": [
            {"name": "cloud-provider", "value": "external"},
            {"name": "provider-id", "value": provider_id},
        ],
    }
    ignored = bootstrap_of(cluster).ignore_preflight_errors
    if ignored:
        registration["ignorePreflightErrors"] = list(ignored)
    return registration


def _startup_probes(bootstrap: BootstrapSpec) -> list[Body]:
    """kubeadm has no setting for its static pods' probes; it takes patches of the pods."""
    seconds = bootstrap.startup_probe_seconds
    if seconds is None:
        return []
    probe = {
        "initialDelaySeconds": seconds,
        "periodSeconds": seconds,
        "failureThreshold": _STARTUP_SECONDS // seconds,
    }
    return [
        _file(
            f"{_PATCHES}/{name}+strategic.yaml",
            yaml.safe_dump({"spec": {"containers": [{"name": name, "startupProbe": probe}]}}),
        )
        for name in _STATIC_PODS
    ]


def _file(path: str, content: str) -> Body:
    return {"path": path, "owner": "root:root", "permissions": "0644", "content": content}


def _kube_proxy_document(bootstrap: BootstrapSpec) -> str:
    kube_proxy = bootstrap.kube_proxy
    document: Body = {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "mode": kube_proxy.mode,
    }
    if kube_proxy.conntrack_max_per_core is not None:
        document["conntrack"] = {"maxPerCore": kube_proxy.conntrack_max_per_core}
    return yaml.safe_dump(document, explicit_start=True, sort_keys=True)
