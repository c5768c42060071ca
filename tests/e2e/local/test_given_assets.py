"""What one machine has built is what another one starts from."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from vks.local.assets import ensure_assets
from vks.local.progress import SilentProgress, terminal_progress

CACHE = Path(os.environ.get("VKS_CACHE", "/var/cache/vks"))


@pytest.mark.timeout(3600)  # without assets in the cache it waits for their build
def test_the_cache_of_one_machine_is_the_directory_of_assets_of_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    built = ensure_assets(CACHE, terminal_progress())
    for name in ("KUBEBUILDER_ASSETS", "VKS_RELEASES"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))  # no Go, nor anything else
    used = ensure_assets(tmp_path / "cache", SilentProgress(), directory=built.bin.parent)
    assert used.container_images == built.container_images
    for path in built.manifests.rglob("*.yaml"):
        copy = used.manifests / path.relative_to(built.manifests)
        assert copy.read_bytes() == path.read_bytes()
