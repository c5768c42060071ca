"""The programs of a region: where each comes from, how it is built, how it tells its version."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from vks.local.assets.versions import Versions

#: Programs go into images without a C library, too.
BUILD_ENVIRONMENT = {"CGO_ENABLED": "0", "GOFLAGS": "-mod=readonly -buildvcs=false"}
BUILD_FLAGS = ("-trimpath",)

KUBERNETES_PROGRAMS = (
    "kube-apiserver",
    "kube-controller-manager",
    "kubectl",
    "kubeadm",
    "kubelet",
    "kube-scheduler",
    "kube-proxy",
)


@dataclass(frozen=True)
class Program:
    """One upstream program."""

    name: str
    #: The directory below `upstream/` whose go.mod pins it.
    project: str
    #: The Go package of its `main`.
    package: str
    #: The version that it must have, with its leading `v`.
    version: str
    #: Arguments that make it print its version; empty: it cannot, its build information can.
    version_arguments: tuple[str, ...]
    linker_flags: str = "-s -w"


def programs(versions: Versions) -> tuple[Program, ...]:
    """All programs at `versions`, those that others wait for first."""
    kubernetes = _kubernetes(versions.kubernetes, "kubernetes", KUBERNETES_PROGRAMS)
    return (*_etcd(versions), *kubernetes, *_cluster_api(versions), _coredns(versions))


def node_programs(version: str, project: str) -> tuple[Program, ...]:
    """The programs of another Kubernetes release that differ on its nodes; kubectl, etcd and
    CoreDNS do for releases next to theirs."""
    names = tuple(name for name in KUBERNETES_PROGRAMS if name != "kubectl")
    return tuple(_kubernetes(version, project, names))


def assets_digest(upstream: Path, wanted: Iterable[Program]) -> str:
    """The key of the modules that pin the programs and of how they are built."""
    wanted = tuple(wanted)
    projects = {program.project for program in wanted}
    total = hashlib.sha256()
    for path in sorted(p for p in upstream.glob("*/go.*") if p.parent.name in projects):
        total.update(f"{path.parent.name}/{path.name}".encode())
        total.update(path.read_bytes())
    for program in wanted:
        total.update(repr((program, BUILD_FLAGS, sorted(BUILD_ENVIRONMENT.items()))).encode())
    return total.hexdigest()[:16]


def _etcd(versions: Versions) -> Iterable[Program]:
    yield Program("etcd", "etcd", "go.etcd.io/etcd/server/v3", versions.etcd, ("--version",))
    for tool in ("etcdctl", "etcdutl"):
        yield Program(tool, "etcd", f"go.etcd.io/etcd/{tool}/v3", versions.etcd, ("version",))


def _kubernetes(version: str, project: str, names: Iterable[str]) -> Iterable[Program]:
    major, minor, _ = version.removeprefix("v").split(".", 2)
    stamps = {
        "k8s.io/component-base/version.gitVersion": version,
        "k8s.io/component-base/version.gitMajor": major,
        "k8s.io/component-base/version.gitMinor": minor,
        "k8s.io/client-go/pkg/version.gitVersion": version,
    }
    flags = " ".join(["-s -w", *(f"-X {name}={value}" for name, value in stamps.items())])
    arguments = {"kubectl": ("version", "--client"), "kubeadm": ("version", "-o", "short")}
    for name in names:
        yield Program(
            name,
            project,
            f"k8s.io/kubernetes/cmd/{name}",
            version,
            arguments.get(name, ("--version",)),
            flags,
        )


def _cluster_api(versions: Versions) -> Iterable[Program]:
    version = versions.cluster_api
    flags = f"-s -w -X sigs.k8s.io/cluster-api/version.gitVersion={version}"
    for name, package, arguments in (
        ("capi-core", "core", ()),
        ("capi-kubeadm-bootstrap", "bootstrap/kubeadm", ()),
        ("capi-kubeadm-control-plane", "controlplane/kubeadm", ()),
        ("clusterctl", "cmd/clusterctl", ("version", "-o", "short")),
    ):
        package = f"sigs.k8s.io/cluster-api/{package}"
        yield Program(name, "cluster-api", package, version, arguments, flags)


def _coredns(versions: Versions) -> Program:
    package = "github.com/coredns/coredns"
    return Program("coredns", "coredns", package, versions.coredns, ("-version",))
