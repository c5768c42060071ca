"""What user data would make a server do: the part of cloud-init and kubeadm that matters here.

Pure. The user data is what Cluster API's kubeadm bootstrap provider writes: a cloud-config that
is a jinja template, with kubeadm's documents among `write_files` and `kubeadm` in `runcmd`.
"""

from __future__ import annotations

import zlib
from typing import Any

import msgspec
import yaml
from jinja2 import TemplateError
from jinja2.sandbox import SandboxedEnvironment

from vks.resources.verdamachine import USER_SCRIPT, ScriptResult, UserScriptStatus

INIT_CONFIG = "/run/kubeadm/kubeadm.yaml"
JOIN_CONFIG = "/run/kubeadm/kubeadm-join-config.yaml"
PKI = "/etc/kubernetes/pki/"
USER_SCRIPTS = "/var/lib/vks/user-script/"

MAX_BYTES = 4 * 2**20

_GZIP = b"\x1f\x8b"
_TEMPLATE = "## template: jinja"
_CONFIG = "#cloud-config"
_CONTROL_PLANE_TAINT = {"key": "node-role.kubernetes.io/control-plane", "effect": "NoSchedule"}

Document = dict[str, Any]


class UserDataError(ValueError):
    """cloud-init or kubeadm would fail; the message is fit for the server's console."""


def bootstrap_of(user_data: bytes, meta_data: Document) -> Document | None:
    """The bootstrap that `vks-hollow` performs; None when the user data asks for none.

    `meta_data` is what the template finds as `ds.meta_data`. Raises UserDataError.
    """
    config = _cloud_config(user_data, meta_data)
    files = {file["path"]: file.get("content", "") for file in config.get("write_files") or []}
    commands = " ".join(str(command) for command in config.get("runcmd") or [])
    pki = {path: text for path, text in files.items() if path.startswith(PKI)}
    if "kubeadm init" in commands and INIT_CONFIG in files:
        return _init(_documents(files[INIT_CONFIG]), files[INIT_CONFIG], pki)
    if "kubeadm join" in commands and JOIN_CONFIG in files:
        return _join(_documents(files[JOIN_CONFIG]), pki, _skipped_scripts(files))
    return None


def _skipped_scripts(files: Document) -> dict[str, str]:
    """The annotation in which a node reports its pool's user script: here, that it never ran."""
    skipped = ScriptResult(outcome="Skipped", lines="a hollow server runs no script")
    pre, post = (
        skipped if f"{USER_SCRIPTS}{phase}.gz" in files else None for phase in ("pre", "post")
    )
    if pre is None and post is None:
        return {}
    report = UserScriptStatus(complete=True, pre=pre, post=post)
    return {USER_SCRIPT: msgspec.json.encode(report).decode()}


def _cloud_config(user_data: bytes, meta_data: Document) -> Document:
    try:
        text = _unpacked(user_data).decode()
        if text.startswith(_TEMPLATE):
            template = SandboxedEnvironment(keep_trailing_newline=True).from_string(
                text.partition("\n")[2]
            )
            text = template.render(ds={"meta_data": meta_data})
        if not text.startswith(_CONFIG):
            return {}
        config = yaml.safe_load(text)
    except (zlib.error, UnicodeDecodeError, TemplateError, yaml.YAMLError) as error:
        raise UserDataError(f"the user data is not a cloud-config: {error}") from error
    if not isinstance(config, dict):
        raise UserDataError("the user data is not a cloud-config: no mapping")
    return config


def _unpacked(user_data: bytes) -> bytes:
    """cloud-init takes gzipped user data too; more than MAX_BYTES of it are cut off."""
    if not user_data.startswith(_GZIP):
        return user_data
    return zlib.decompressobj(zlib.MAX_WBITS | 16).decompress(user_data, MAX_BYTES)


def _documents(text: str) -> dict[str, Document]:
    """kubeadm's documents by kind."""
    try:
        loaded = [doc for doc in yaml.safe_load_all(text) if isinstance(doc, dict)]
    except yaml.YAMLError as error:
        raise UserDataError(f"kubeadm's configuration is not YAML: {error}") from error
    return {str(doc.get("kind")): doc for doc in loaded}


def _init(documents: dict[str, Document], text: str, pki: dict[str, str]) -> Document:
    cluster = documents.get("ClusterConfiguration", {})
    endpoint = cluster.get("controlPlaneEndpoint")
    if not endpoint:
        raise UserDataError("kubeadm init: no controlPlaneEndpoint")
    registration = documents.get("InitConfiguration", {}).get("nodeRegistration") or {}
    return {
        "role": "init",
        **_node(registration, control_plane=True),
        "endpoint": endpoint,
        "files": pki,
        "clusterConfiguration": yaml.safe_dump(cluster, sort_keys=False),
        "podSubnet": (cluster.get("networking") or {}).get("podSubnet", ""),
    }


def _join(documents: dict[str, Document], pki: dict[str, str], scripts: dict[str, str]) -> Document:
    configuration = documents.get("JoinConfiguration", {})
    discovery = (configuration.get("discovery") or {}).get("bootstrapToken")
    if not discovery:
        raise UserDataError("kubeadm join: no discovery by bootstrap token")
    control_plane = "controlPlane" in configuration
    return {
        "role": "control-plane" if control_plane else "worker",
        **_node(configuration.get("nodeRegistration") or {}, control_plane=control_plane),
        "annotations": scripts,
        "endpoint": discovery.get("apiServerEndpoint", ""),
        "token": discovery.get("token", ""),
        "caCertHashes": discovery.get("caCertHashes") or [],
        "files": pki if control_plane else {},
    }


def _node(registration: Document, *, control_plane: bool) -> Document:
    """What kubelet registers: kubeadm taints a control plane unless it was told which taints."""
    arguments = _arguments(registration.get("kubeletExtraArgs"))
    taints = registration.get("taints")
    if taints is None:
        taints = [_CONTROL_PLANE_TAINT] if control_plane else []
    taints = [*taints, *_given_taints(arguments.get("register-with-taints", ""))]
    if arguments.get("cloud-provider") == "external":
        external = {"key": "node.cloudprovider.kubernetes.io/uninitialized", "value": "true"}
        taints = [{**external, "effect": "NoSchedule"}, *taints]
    labels = dict(
        pair.partition("=")[::2] for pair in arguments.get("node-labels", "").split(",") if pair
    )
    return {
        "nodeName": registration.get("name", ""),
        "providerID": arguments.get("provider-id", ""),
        "annotations": {},
        "labels": labels,
        "taints": taints,
    }


def _arguments(given: Any) -> dict[str, str]:
    """kubeadm v1beta4 lists name and value, v1beta3 maps."""
    if isinstance(given, dict):
        return {str(name): str(value) for name, value in given.items()}
    return {one["name"]: one.get("value", "") for one in given or []}


def _given_taints(text: str) -> list[Document]:
    """`KEY=VALUE:EFFECT,…`, kubelet's --register-with-taints."""
    found = []
    for one in (part for part in text.split(",") if part):
        name, _, effect = one.partition(":")
        key, _, value = name.partition("=")
        found.append({"key": key, "value": value, "effect": effect})
    return found
