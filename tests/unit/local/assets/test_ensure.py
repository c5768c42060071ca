import fcntl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.unit.local.assets.conftest import KUBEADM

from vks.local.assets import (
    UpstreamError,
    ensure_assets,
    ensure_release,
    kubernetes_projects,
    pinned_versions,
)
from vks.local.assets.cluster_api import PROVIDERS
from vks.local.assets.programs import node_programs, programs
from vks.local.progress import SilentProgress, Step


class Notes(SilentProgress):
    def __init__(self) -> None:
        self.steps: list[str] = []
        self.waiting = threading.Event()

    @contextmanager
    def step(self, title: str) -> Iterator[Step]:
        self.steps.append(title)
        if title.startswith("Waiting"):
            self.waiting.set()
        with super().step(title) as step:
            yield step


def test_given_are_used_and_nothing_is_built(tmp_path: Path, given: Path) -> None:
    progress = Notes()
    assets = ensure_assets(tmp_path / "cache", progress, directory=given)
    assert progress.steps == []
    names = {program.name for program in programs(pinned_versions())}
    assert {path.name for path in assets.bin.iterdir()} == names
    assert assets.container_images == ("registry.k8s.io/pause:3.10", "registry.k8s.io/etcd:3.6.8-0")
    assert (tmp_path / "cache/assets/bin").resolve() == assets.bin
    for name, directory in PROVIDERS.items():
        crds = (assets.manifests / name / "crds.yaml").read_text()
        assert crds == f"rendered: {assets.cluster_api_module / directory}/config/crd\n"
        assert "webhooks of" in (assets.manifests / name / "webhooks.yaml").read_text()


def test_the_second_call_needs_nothing(tmp_path: Path, given: Path) -> None:
    first = ensure_assets(tmp_path / "cache", Notes(), directory=given)
    progress = Notes()
    assert ensure_assets(tmp_path / "cache", progress) == first
    assert progress.steps == []


def test_an_interrupted_call_keeps_what_was_there(tmp_path: Path, given: Path) -> None:
    cache = tmp_path / "cache"
    first = ensure_assets(cache, Notes(), directory=given)
    kept = (first.bin / "etcd").stat().st_mtime_ns
    (first.bin.parent / "images.txt").unlink()
    (first.bin / "coredns").rename(first.bin / ".coredns.partial")
    again = ensure_assets(cache, Notes(), directory=given)
    assert again == first
    assert (first.bin / "etcd").stat().st_mtime_ns == kept
    assert (first.bin / "coredns").is_file()
    assert not (first.bin / ".coredns.partial").exists()


def test_a_second_builder_waits_for_the_first(tmp_path: Path, given: Path) -> None:
    cache, progress = tmp_path / "cache", Notes()
    ready = ensure_assets(cache, Notes(), directory=given)
    complete = ready.bin.parent / "images.txt"
    images = complete.read_text()
    complete.unlink()
    with (cache / "assets" / f"{ready.digest}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        waiter = threading.Thread(target=ensure_assets, args=(cache, progress))
        waiter.start()
        assert progress.waiting.wait(5)
        complete.write_text(images)
    waiter.join(5)
    assert not waiter.is_alive()
    assert progress.steps == ["Waiting for another build of the upstream programs"]


def test_another_release_brings_its_own_node_programs_and_shares_the_rest(
    tmp_path: Path, given: Path
) -> None:
    cache, progress = tmp_path / "cache", Notes()
    assets = ensure_assets(cache, progress, directory=given)
    version, project = next(
        item for item in kubernetes_projects().items() if item[0] != assets.versions.kubernetes
    )
    others = given / version / "bin"
    others.mkdir(parents=True)
    for program in node_programs(version, project):
        script = KUBEADM if program.name == "kubeadm" else "#!/bin/sh\necho {version}\n"
        (others / program.name).write_text(script.format(version=version))
        (others / program.name).chmod(0o755)
    release = ensure_release(cache, version, assets, progress, directory=given)
    assert progress.steps == []
    assert (release.bin / "etcd").resolve() == assets.bin / "etcd"
    assert version in (release.bin / "kubelet").read_text()
    assert assets.versions.kubernetes in (assets.bin / "kubelet").read_text()
    assert (cache / "assets/bin").resolve() == assets.bin, "people get the region's own"
    assert ensure_release(cache, version, assets, progress) == release


def test_a_release_that_is_not_pinned_is_refused(tmp_path: Path, given: Path) -> None:
    assets = ensure_assets(tmp_path / "cache", Notes(), directory=given)
    with pytest.raises(UpstreamError, match=r"v1\.9\.9 is not pinned; there are: v1"):
        ensure_release(tmp_path / "cache", "v1.9.9", assets, Notes())
