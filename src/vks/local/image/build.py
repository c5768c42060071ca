"""Builds the node image, or finds the one that was built from the same parts.

Three stages, each kept under the digest of what went into it: Debian with its packages, the
layer below the container images, and the node image. An interrupted build goes on from
the last finished stage; nothing half-made ever has its final name.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from vks.local.assets.model import Release
from vks.local.image import recipe, rootfs
from vks.local.image.containers import (
    kubernetes_images,
    neighbour_images,
    pause_image,
    vks_images,
    write_archive,
)
from vks.local.image.pool import Pool
from vks.local.progress import Progress

#: An image that no server's disk was made of and nobody asked for in this time may go.
UNUSED_SECONDS = 7 * 24 * 3600.0

_PROGRAMS = ("kubelet", "kubeadm", "kubectl")


@dataclass(frozen=True)
class NodeImage:
    """A node image in the pool: a read-only subvolume to take snapshots of."""

    digest: str
    path: Path
    kubernetes_version: str


def ensure_image(
    cache: Path, release: Release, progress: Progress, neighbours: Sequence[Release] = ()
) -> NodeImage:
    """Mount the pool and return the image for `release` on this machine, built if need be.

    `neighbours` are the other releases of the region: while a cluster goes from one to another,
    a node is asked to run some of their containers. Takes about two minutes the first time.
    Concurrent callers wait for the one that builds. Raises CommandError (a tool failed) or
    PoolError.
    """
    pool = Pool(cache)
    pool.mount()
    facts = recipe.Facts.of_this_machine()
    build = _Build(pool, release, tuple(neighbours), facts, progress)
    image = build.result()
    if not image.path.exists():
        with pool.locked("image"):
            if not image.path.exists():
                build.make()
                prune_images(pool, keep=image.digest, now=time.time())
    os.utime(_mark(pool, image.digest))
    return image


def prune_images(pool: Pool, *, keep: str, now: float) -> list[str]:
    """Delete the images that were not asked for lately and that no disk was made of."""
    in_use = pool.parents_of_disks()
    removed = []
    for mark in sorted(pool.images.glob("*.used")):
        path = pool.images / mark.stem
        if mark.stem == keep or now - mark.stat().st_mtime < UNUSED_SECONDS:
            continue
        if path.exists() and pool.uuid(path) in in_use:
            continue
        pool.delete(path)
        mark.unlink()
        removed.append(mark.stem)
    return removed


def _mark(pool: Pool, digest: str) -> Path:
    """The file whose time says when the image was last asked for."""
    mark = pool.images / f"{digest}.used"
    mark.touch()
    return mark


@dataclass(frozen=True)
class _Build:
    pool: Pool
    release: Release
    neighbours: tuple[Release, ...]
    facts: recipe.Facts
    progress: Progress

    def result(self) -> NodeImage:
        key = recipe.digest(
            (
                self._base_key(),
                self._layer_key(),
                self.release.digest,
                *(neighbour.digest for neighbour in self.neighbours),
                recipe.source_digest("containers.py", "build.py", "hello/index.cgi"),
                repr(self.facts),
                *(step.script for step in self._steps()),
            )
        )
        return NodeImage(key, self.pool.images / key, self.release.version)

    def make(self) -> None:
        base = self._ensure_base()
        layer = self._ensure_layer()
        image = self.result()
        with self._payload(layer) as payload, self._scratch(self.pool.images, base) as tree:
            steps = self._steps()
            with self.progress.step(f"Preparing the node image {self.release.version}") as step:
                for number, recipe_step in enumerate(steps):
                    step.advance(number, len(steps))
                    variables = {
                        **dict(self.facts.assignments),
                        "VKS_PAUSE_IMAGE": pause_image(self.release.container_images),
                    }
                    rootfs.run_step(tree, recipe_step, variables, payload, step, self._log)
            self.pool.snapshot(tree, image.path, read_only=True)

    @property
    def _log(self) -> Path:
        return self.pool.cache / "logs" / "image.log"

    def _steps(self) -> list[recipe.Step]:
        return recipe.steps(recipe.NODE_STEPS, recipe.CONTAINER_STEPS)

    def _base_key(self) -> str:
        return recipe.digest((recipe.SUITE, *rootfs.DPKG_OPTIONS, *recipe.packages("node")))

    def _layer_key(self) -> str:
        return recipe.digest(
            (recipe.SUITE, *recipe.packages("container"), recipe.source_digest("rootfs.py"))
        )

    def _ensure_base(self) -> Path:
        base = self.pool.bases / self._base_key()
        if not base.exists():
            with self._scratch(self.pool.bases) as tree:
                with self.progress.step(f"Installing Debian {recipe.SUITE} for nodes") as step:
                    rootfs.debootstrap(tree, recipe.packages("node"), step, self._log)
                self.pool.snapshot(tree, base, read_only=True)
        return base

    def _ensure_layer(self) -> Path:
        layer = self.pool.bases / f"{self._layer_key()}.tar"
        if not layer.exists():
            with (
                self._scratch(self.pool.bases) as tree,
                self.progress.step("Packing the layer below the container images") as step,
            ):
                packages = recipe.packages("container")
                rootfs.debootstrap(tree, packages, step, self._log, configured=False)
                rootfs.prepare_container_tree(tree)
                rootfs.write_layer(tree, layer)
        return layer

    @contextmanager
    def _payload(self, layer: Path) -> Iterator[Path]:
        """A directory with what the steps install: Kubernetes programs, container images."""
        with tempfile.TemporaryDirectory(dir=self.pool.cache, prefix="payload-") as name:
            payload = Path(name)
            with self.progress.step("Writing the container images") as step:
                write_payload(payload, self.release, layer, self.neighbours)
                step.detail("written")
            yield payload

    @contextmanager
    def _scratch(self, directory: Path, source: Path | None = None) -> Iterator[Path]:
        """A subvolume to work in, gone afterwards; first those of killed builds go."""
        for leftover in directory.glob(".scratch-*"):
            self.pool.delete(leftover)
        tree = directory / f".scratch-{os.getpid()}"
        if source is None:
            self.pool.create(tree)
        else:
            self.pool.snapshot(source, tree)
        try:
            yield tree
        finally:
            self.pool.delete(tree)


def write_payload(
    target: Path, release: Release, layer: Path, neighbours: Sequence[Release] = ()
) -> None:
    """Put the programs and `images.tar` that the node steps install into `target`."""
    for program in _PROGRAMS:
        shutil.copy2(release.bin / program, target / program)
    images = [
        *kubernetes_images(release.container_images, release.bin),
        *(image for other in neighbours for image in neighbour_images(other)),
        *vks_images(release.bin),
    ]
    with (target / "images.tar").open("wb") as archive:
        write_archive(archive, layer, images)
