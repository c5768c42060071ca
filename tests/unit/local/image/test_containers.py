import hashlib
import io
import json
import tarfile
from pathlib import Path

import pytest

from vks.local.image.containers import (
    ContainerImage,
    kubernetes_images,
    pause_image,
    vks_images,
    write_archive,
)

NAMES = (
    "registry.k8s.io/kube-apiserver:v1.36.3",
    "registry.k8s.io/kube-proxy:v1.36.3",
    "registry.k8s.io/coredns/coredns:v1.14.2",
    "registry.k8s.io/pause:3.10.2",
    "registry.k8s.io/etcd:3.6.8-0",
)


def test_each_image_that_kubeadm_lists_gets_its_programs() -> None:
    images = {image.name: image for image in kubernetes_images(NAMES, Path("/bin"))}
    assert tuple(images) == NAMES
    assert images[NAMES[0]].programs == {
        "usr/local/bin/kube-apiserver": Path("/bin/kube-apiserver")
    }
    assert images[NAMES[2]].entrypoint == ("/coredns",)
    assert images[NAMES[3]].programs == {}
    assert {path.name for path in images[NAMES[4]].programs.values()} == {
        "etcd",
        "etcdctl",
        "etcdutl",
    }
    assert pause_image(NAMES) == "registry.k8s.io/pause:3.10.2"


def test_an_image_without_a_program_is_an_error() -> None:
    with pytest.raises(ValueError, match=r"registry\.k8s\.io/new-part:v1"):
        kubernetes_images(["registry.k8s.io/new-part:v1"], Path("/bin"))


def test_our_own_images_have_fixed_names() -> None:
    assert [image.name for image in vks_images(Path("/bin"))] == [
        "registry.vks.verda/vks/cni:v1",
        "registry.vks.verda/vks/toolbox:v1",
        "registry.vks.verda/vks/hello:v1",
    ]


@pytest.fixture
def base_layer(tmp_path: Path) -> Path:
    path = tmp_path / "base.tar"
    with tarfile.open(path, "w") as layer:
        layer.addfile(tarfile.TarInfo("etc"))
    return path


def archive_of(base_layer: Path, program: Path) -> bytes:
    output = io.BytesIO()
    images = [
        ContainerImage("r/tool:v1", {"usr/local/bin/tool": program}, ("/usr/local/bin/tool",)),
        ContainerImage("r/bare:v1"),
    ]
    write_archive(output, base_layer, images)
    return output.getvalue()


def test_the_archive_is_what_an_image_importer_expects(base_layer: Path, tmp_path: Path) -> None:
    program = tmp_path / "tool"
    program.write_bytes(b"#!tool")
    with tarfile.open(fileobj=io.BytesIO(archive_of(base_layer, program))) as archive:
        content = {
            name: member.read()
            for name in archive.getnames()
            if (member := archive.extractfile(name)) is not None
        }
    manifest = json.loads(content["manifest.json"])
    assert [entry["RepoTags"] for entry in manifest] == [["r/tool:v1"], ["r/bare:v1"]]
    assert manifest[0]["Layers"][0] == manifest[1]["Layers"][0], "the base layer is shared"
    for entry in manifest:
        config = json.loads(content[entry["Config"]])
        layers = [hashlib.sha256(content[name]).hexdigest() for name in entry["Layers"]]
        assert config["rootfs"]["diff_ids"] == [f"sha256:{layer}" for layer in layers]
    with tarfile.open(fileobj=io.BytesIO(content[manifest[0]["Layers"][1]])) as layer:
        tool = layer.getmember("usr/local/bin/tool")
        assert (tool.mode, tool.uid, tool.mtime) == (0o755, 0, 0)
    assert json.loads(content[manifest[1]["Config"]])["config"]["Entrypoint"] is None


def test_equal_parts_give_equal_bytes(base_layer: Path, tmp_path: Path) -> None:
    program = tmp_path / "tool"
    program.write_bytes(b"x" * 5000)
    first = archive_of(base_layer, program)
    program.touch()
    assert archive_of(base_layer, program) == first
