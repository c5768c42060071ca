"""Versions of the upstream projects: `upstream/*/go.mod` is the only place that names them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path


class UpstreamError(RuntimeError):
    """The directory of pinned modules is missing or does not name a version."""


@dataclass(frozen=True)
class Versions:
    """Each with its leading `v`, for example `v1.36.3`."""

    kubernetes: str
    cluster_api: str
    etcd: str
    coredns: str


def kubernetes_projects() -> dict[str, str]:
    """The directory below `upstream/` of every Kubernetes release that nodes can be made of.

    `kubernetes` is the one that a region runs on itself; the others are built when asked for.
    """
    return {
        required_version(path.read_text(), "k8s.io/kubernetes"): path.parent.name
        for path in sorted(upstream_directory().glob("kubernetes*/go.mod"))
    }


def upstream_directory() -> Path:
    """The directory with one Go module per upstream project.

    A wheel carries it inside this package, a checkout has it at its root.
    """
    here = Path(__file__).resolve()
    for candidate in (here.parent / "upstream", here.parents[4] / "upstream"):
        if candidate.is_dir():
            return candidate
    raise UpstreamError("the directory upstream/ with the pinned Go modules is missing")


def required_version(go_mod: str, module: str) -> str:
    """The version of `module` that the text of a go.mod requires."""
    found = re.search(rf"^\s*(?:require\s+)?{re.escape(module)} (v\S+)", go_mod, re.MULTILINE)
    if found is None:
        raise UpstreamError(f"go.mod does not require {module}")
    return found.group(1)


@cache
def pinned_versions() -> Versions:
    """The versions that this checkout runs."""

    def version(project: str, module: str) -> str:
        return required_version((upstream_directory() / project / "go.mod").read_text(), module)

    return Versions(
        kubernetes=version("kubernetes", "k8s.io/kubernetes"),
        cluster_api=version("cluster-api", "sigs.k8s.io/cluster-api"),
        etcd=version("etcd", "go.etcd.io/etcd/server/v3"),
        coredns=version("coredns", "github.com/coredns/coredns"),
    )
