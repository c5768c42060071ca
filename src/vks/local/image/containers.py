"""Writes container images as one archive that `ctr images import` reads.

The images share a base layer and add one layer with their programs each. The format is the
Docker image archive: `manifest.json`, one configuration per image, layers as tar files
(github.com/moby/docker-image-spec, "Combined Image JSON + Filesystem Changeset Format").
"""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from vks.local.assets.model import Release

_PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_REGISTRY = "registry.vks.verda/vks"
_HELLO = Path(__file__).parent / "hello" / "index.cgi"


@dataclass(frozen=True)
class ContainerImage:
    """One image: its full name with tag, the programs above the base layer, its command."""

    name: str
    programs: Mapping[str, Path] = field(default_factory=dict)  # path in the image: source
    entrypoint: tuple[str, ...] = ()


def kubernetes_images(names: Iterable[str], programs: Path) -> list[ContainerImage]:
    """The images that kubeadm asks for by `names`, made of the files in `programs`.

    Raises ValueError for a name that we know no program for.
    """
    return [_kubernetes_image(name, programs) for name in names]


def _kubernetes_image(name: str, programs: Path) -> ContainerImage:
    component = name.rpartition(":")[0].rpartition("/")[2]
    match component:
        case "pause":
            return ContainerImage(name, entrypoint=("/usr/bin/catatonit", "-P"))
        case "coredns":
            return ContainerImage(name, {"coredns": programs / "coredns"}, ("/coredns",))
        case "etcd":
            tools = ("etcd", "etcdctl", "etcdutl")
            return ContainerImage(name, {f"usr/local/bin/{t}": programs / t for t in tools})
        case "kube-apiserver" | "kube-controller-manager" | "kube-scheduler" | "kube-proxy":
            return ContainerImage(name, {f"usr/local/bin/{component}": programs / component})
    raise ValueError(f"no program is known for the container image {name}")


def neighbour_images(release: Release) -> list[ContainerImage]:
    """What nodes of another release are asked to run of `release` during an upgrade: the
    add-ons that kubeadm installed, until Cluster API has brought them up to date."""
    names = [
        name
        for name in release.container_images
        if name.rpartition(":")[0].endswith(("/kube-proxy", "/coredns"))
    ]
    return kubernetes_images(names, release.bin)


def vks_images(programs: Path) -> list[ContainerImage]:
    """Our own images: what installs the pod network, tools to look at a cluster with, and a web
    page that says which pod answered, to have something to run where no registry is."""
    return [
        ContainerImage(f"{_REGISTRY}/cni:v1", {"usr/local/bin/kubectl": programs / "kubectl"}),
        ContainerImage(f"{_REGISTRY}/toolbox:v1"),
        ContainerImage(
            f"{_REGISTRY}/hello:v1",
            {"www/cgi-bin/index.cgi": _HELLO},
            ("httpd", "-f", "-vv", "-p", "8080", "-h", "/www"),
        ),
    ]


def pause_image(names: Iterable[str]) -> str:
    """The sandbox image among the names that kubeadm lists."""
    return next(name for name in names if name.rpartition(":")[0].endswith("/pause"))


def write_archive(output: IO[bytes], base_layer: Path, images: Iterable[ContainerImage]) -> None:
    """Write all `images` over the tar file `base_layer` to `output`; same input, same bytes."""
    base = _file_digest(base_layer)
    with tarfile.open(fileobj=output, mode="w|") as archive:
        with base_layer.open("rb") as layer:
            _add(archive, f"{base}.tar", base_layer.stat().st_size, layer)
        manifest = []
        for image in images:
            layers = [base]
            if image.programs:
                content = _program_layer(image.programs)
                layers.append(hashlib.sha256(content).hexdigest())
                _add(archive, f"{layers[-1]}.tar", len(content), io.BytesIO(content))
            config = _configuration(image, layers)
            config_name = f"{hashlib.sha256(config).hexdigest()}.json"
            _add(archive, config_name, len(config), io.BytesIO(config))
            manifest.append(
                {
                    "Config": config_name,
                    "RepoTags": [image.name],
                    "Layers": [f"{layer}.tar" for layer in layers],
                }
            )
        content = json.dumps(manifest).encode()
        _add(archive, "manifest.json", len(content), io.BytesIO(content))


def _program_layer(programs: Mapping[str, Path]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as layer:
        for path, source in sorted(programs.items()):
            with source.open("rb") as content:
                _add(layer, path, source.stat().st_size, content, mode=0o755)
    return buffer.getvalue()


def _configuration(image: ContainerImage, layers: list[str]) -> bytes:
    return json.dumps(
        {
            "architecture": "amd64",
            "os": "linux",
            "config": {"Env": [_PATH], "Entrypoint": list(image.entrypoint) or None},
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{layer}" for layer in layers]},
            "history": [],
        }
    ).encode()


def _add(
    archive: tarfile.TarFile, name: str, size: int, content: IO[bytes], mode: int = 0o644
) -> None:
    """Add one file owned by root, without the times and owners of this machine."""
    member = tarfile.TarInfo(name)
    member.size = size
    member.mode = mode
    archive.addfile(member, content)


def _file_digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
