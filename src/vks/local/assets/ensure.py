"""Gets all upstream programs into the cache, once."""

from __future__ import annotations

import os
import shutil
from functools import partial
from pathlib import Path

from vks.local.assets import cluster_api
from vks.local.assets.given import Given
from vks.local.assets.model import Assets, Release
from vks.local.assets.programs import assets_digest, node_programs, programs
from vks.local.assets.versions import (
    UpstreamError,
    kubernetes_projects,
    pinned_versions,
    upstream_directory,
)
from vks.local.assets.workshop import Workshop
from vks.local.progress import Progress


def ensure_assets(
    cache: Path,
    progress: Progress,
    *,
    directory: Path | None = None,
    releases: str | None = None,
) -> Assets:
    """Return the upstream programs; the first time, copy, download or build what is missing.

    `directory` holds all that is needed (see `vks.local.assets.given`), and nothing else is asked.
    Without it, KUBEBUILDER_ASSETS may hold programs to use when their version fits; `releases` is
    `official` or a mirror's URL to download from (default: VKS_RELEASES; none). What neither has
    is built from the pinned modules: about 15 minutes on two cores. Each program is kept as soon
    as it is there, so an interrupted call goes on where it was, and callers at the same time wait
    for one another. Raises AssetsError, CommandError or ToolchainError.
    """
    versions = pinned_versions()
    wanted = programs(versions)
    digest = assets_digest(upstream_directory(), wanted)
    given = None if directory is None else Given(directory)
    if given is not None:
        given.check(wanted, cluster_api=True)
    work = _workshop(cache, digest, progress, given, releases)

    def make() -> None:
        work.obtain(wanted)
        _manifests(work)
        work.list_images(versions.kubernetes)

    work.once(make)
    if given is not None:
        given.check_used(wanted, work.bin)
    _publish(work)
    return Assets(
        digest=digest,
        versions=versions,
        bin=work.bin,
        cluster_api_module=work.root / "cluster-api",
        manifests=work.root / "manifests",
        container_images=work.images(),
    )


def ensure_release(
    cache: Path,
    version: str,
    assets: Assets,
    progress: Progress,
    *,
    directory: Path | None = None,
    releases: str | None = None,
) -> Release:
    """Return what nodes of Kubernetes `version` are made of, as `ensure_assets` does.

    For another release than the region's own that is six programs, about eight minutes on two
    cores; the rest is shared. Raises UpstreamError for a version that is not pinned, too.
    """
    project = kubernetes_projects().get(version)
    if project is None:
        known = ", ".join(sorted(kubernetes_projects()))
        raise UpstreamError(f"Kubernetes {version} is not pinned; there are: {known}")
    if version == assets.versions.kubernetes:
        return assets.release
    wanted = node_programs(version, project)
    digest = f"{assets_digest(upstream_directory(), wanted)}-{assets.digest}"
    given = None if directory is None else Given(directory, f"{version}/bin")
    if given is not None:
        given.check(wanted)
    work = _workshop(cache, digest, progress, given, releases)

    def make() -> None:
        for name in ("kubectl", "etcd", "etcdctl", "etcdutl", "coredns"):
            work.atomically(work.bin / name, partial(_share, f"../../{assets.digest}/bin/{name}"))
        work.obtain(wanted)
        work.list_images(version)

    work.once(make)
    if given is not None:
        given.check_used(wanted, work.bin)
    return Release(version, digest, work.bin, work.images())


def _workshop(
    cache: Path, digest: str, progress: Progress, given: Given | None, releases: str | None
) -> Workshop:
    at_hand = os.environ.get("KUBEBUILDER_ASSETS")
    directory = given.bin if given is not None else Path(at_hand) if at_hand else None
    return Workshop(cache, digest, progress, directory, releases or os.environ.get("VKS_RELEASES"))


def _share(source: str, target: Path) -> None:
    target.symlink_to(source)


def _publish(work: Workshop) -> None:
    """Point `CACHE/assets/bin` at these programs, for people and for tests."""
    link = work.cache / "assets" / "bin"
    target = f"{work.digest}/bin"
    if link.is_symlink() and os.readlink(link) == target:
        return
    fresh = link.with_name(f".bin-{os.getpid()}")
    fresh.unlink(missing_ok=True)
    fresh.symlink_to(target)
    fresh.rename(link)


def _manifests(work: Workshop) -> None:
    """Cluster API's definitions and webhooks: from the module, like its programs."""
    module = work.root / "cluster-api"
    if not module.exists():
        work.atomically(module, lambda path: _copy_cluster_api(work, path))
    manifests = work.root / "manifests"
    if not manifests.exists():
        kubectl = work.bin / "kubectl"
        work.atomically(manifests, lambda path: cluster_api.render(module, path, kubectl))


def _copy_cluster_api(work: Workshop, target: Path) -> None:
    prepared = None if work.directory is None else work.directory.parent / "cluster-api"
    if prepared is not None and prepared.is_dir():
        shutil.copytree(prepared, target)
        return
    go = work.go()
    project = upstream_directory() / "cluster-api"
    go.output("mod", "download", cluster_api.MODULE, cwd=project)
    found = go.output("list", "-m", "-f", "{{.Dir}}", cluster_api.MODULE, cwd=project)
    cluster_api.copy_configuration(Path(found.strip()), target)
