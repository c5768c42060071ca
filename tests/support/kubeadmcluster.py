"""What a real cluster has for those who join it, without servers: an API server that authorizes
and admits nodes as kubeadm's does, the controllers that let them in, kubeadm's objects."""

from __future__ import annotations

import base64
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml
from tests.support.apiserver import ApiServer, free_port, running_apiserver

from vks.kube.client import Client
from vks.kube.objects import Resource

TOKEN = "abcdef.0123456789abcdef"
CONTROLLERS = (
    "bootstrap-signer-controller",
    "certificatesigningrequest-approving-controller",
    "certificatesigningrequest-signing-controller",
    "node-ipam-controller",
)
FLAGS = (
    "--enable-admission-plugins=NodeRestriction",
    "--enable-bootstrap-token-auth",
)
_RBAC = "rbac.authorization.k8s.io"
_JOINERS = "system:bootstrappers:kubeadm:default-node-token"
#: ClusterRoles by the name of the binding that gives them to those who join.
_GRANTED = {
    "kubeadm:kubelet-bootstrap": "system:node-bootstrapper",
    "kubeadm:node-autoapprove-bootstrap": (
        "system:certificates.k8s.io:certificatesigningrequests:nodeclient"
    ),
    "kubeadm:get-nodes": "kubeadm:get-nodes",
}

Body = dict[str, Any]


@contextmanager
def running_kubeadm_cluster(directory: Path) -> Iterator[ApiServer]:
    with running_apiserver(directory, *FLAGS) as server:
        kubeconfig = directory / "admin.kubeconfig"
        kubeconfig.write_bytes(server.kubeconfig)
        # A test run that is killed must leave nothing behind.
        argv = [
            *("setpriv", "--pdeathsig", "KILL", str(server.programs / "kube-controller-manager")),
            f"--kubeconfig={kubeconfig}",
            f"--controllers={','.join(CONTROLLERS)}",
            "--leader-elect=false",
            "--bind-address=127.0.0.1",
            f"--secure-port={free_port()}",
            f"--cluster-signing-cert-file={server.pki.ca}",
            f"--cluster-signing-key-file={server.pki.ca_key}",
            "--allocate-node-cidrs",
            "--cluster-cidr=10.244.0.0/16",
        ]
        with (directory / "kube-controller-manager.log").open("ab") as log:
            manager = subprocess.Popen(argv, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        try:
            yield server
        finally:
            manager.kill()
            manager.wait()


async def let_join(api: Client, server: ApiServer) -> None:
    """What `kubeadm init` leaves for those who join: a token, cluster-info, permissions."""
    token_id, _, secret = TOKEN.partition(".")
    token = {
        "token-id": token_id,
        "token-secret": secret,
        "usage-bootstrap-authentication": "true",
        "usage-bootstrap-signing": "true",
        "auth-extra-groups": _JOINERS,
    }
    encoded = {key: base64.b64encode(value.encode()).decode() for key, value in token.items()}
    authority = base64.b64encode(server.pki.ca.read_bytes()).decode()
    cluster = {"server": server.url, "certificate-authority-data": authority}
    info = {"apiVersion": "v1", "kind": "Config", "clusters": [{"name": "", "cluster": cluster}]}
    readable = {"verbs": ["get"], "apiGroups": [""]}
    bodies: list[Body] = [
        _object("v1", "Secret", f"bootstrap-token-{token_id}", "kube-system")
        | {"type": "bootstrap.kubernetes.io/token", "data": encoded},
        _object("v1", "ConfigMap", "cluster-info", "kube-public")
        | {"data": {"kubeconfig": yaml.safe_dump(info)}},
        _object(f"{_RBAC}/v1", "Role", "cluster-info", "kube-public")
        | {"rules": [readable | {"resources": ["configmaps"], "resourceNames": ["cluster-info"]}]},
        _object(f"{_RBAC}/v1", "RoleBinding", "cluster-info", "kube-public")
        | _binds("Role", "cluster-info", {"kind": "User", "name": "system:anonymous"}),
        _object(f"{_RBAC}/v1", "ClusterRole", "kubeadm:get-nodes")
        | {"rules": [readable | {"resources": ["nodes"]}]},
        *(
            _object(f"{_RBAC}/v1", "ClusterRoleBinding", name)
            | _binds("ClusterRole", role, {"kind": "Group", "name": _JOINERS})
            for name, role in _GRANTED.items()
        ),
    ]
    for body in bodies:
        await api.create(_resource(body), body)


def ca_hash(certificate: Path) -> str:
    """As kubeadm pins it (RFC 7469)."""
    command = ["openssl", "x509", "-in", str(certificate), "-pubkey", "-noout"]
    pem = subprocess.run(command, check=True, capture_output=True).stdout
    der = ["openssl", "pkey", "-pubin", "-outform", "der"]
    spki = subprocess.run(der, input=pem, check=True, capture_output=True).stdout
    digest = subprocess.run(["sha256sum"], input=spki, check=True, capture_output=True).stdout
    return f"sha256:{digest.decode().split()[0]}"


def _object(version: str, kind: str, name: str, namespace: str = "") -> Body:
    where = {"namespace": namespace} if namespace else {}
    return {"apiVersion": version, "kind": kind, "metadata": {"name": name, **where}}


def _binds(kind: str, role: str, subject: Body) -> Body:
    return {
        "roleRef": {"apiGroup": _RBAC, "kind": kind, "name": role},
        "subjects": [{"apiGroup": _RBAC, **subject}],
    }


def _resource(body: Body) -> Resource:
    group, _, version = body["apiVersion"].rpartition("/")
    plural = f"{body['kind'].lower()}s"
    return Resource(group, version, body["kind"], plural, "namespace" in body["metadata"])
