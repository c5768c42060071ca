import hashlib
import io
import tarfile
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from vks.local.assets.programs import Program, programs
from vks.local.assets.sources import SkippedError, from_directory, from_release, has_version
from vks.local.assets.versions import Versions

VERSIONS = Versions("v1.36.3", "v1.14.2", "v3.6.14", "v1.14.3")
BY_NAME = {program.name: program for program in programs(VERSIONS)}


class Mirror:
    """A loopback server for releases."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        files = self.files

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                content = files.get(self.path)
                self.send_response(404 if content is None else 200)
                self.end_headers()
                self.wfile.write(content or b"")

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                return None

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"


@pytest.fixture
def mirror() -> Iterator[Mirror]:
    mirror = Mirror()
    thread = threading.Thread(target=mirror.server.serve_forever, args=(0.02,))
    thread.start()
    yield mirror
    mirror.server.shutdown()
    thread.join()
    mirror.server.server_close()


def script(path: Path, output: str) -> None:
    path.write_text(f"#!/bin/sh\necho '{output}'\n")
    path.chmod(0o755)


@pytest.mark.parametrize(
    ("output", "fits"),
    [
        ("Kubernetes v1.36.3", True),
        ("Kubernetes v1.36.30", False),
        ("Kubernetes v11.36.3", False),
        ("Kubernetes v1.35.4", False),
        ("", False),
    ],
)
def test_a_program_must_tell_exactly_the_pinned_version(
    tmp_path: Path, output: str, fits: bool
) -> None:
    script(tmp_path / "kubelet", output)
    assert has_version(tmp_path / "kubelet", BY_NAME["kubelet"]) is fits


def test_a_program_without_version_output_is_known_by_its_build_information(
    tmp_path: Path,
) -> None:
    path = tmp_path / "capi-core"
    path.write_bytes(b"\x00dep\tsigs.k8s.io/cluster-api\tv1.14.2\th1:abc=\n")
    assert has_version(path, BY_NAME["capi-core"])
    assert not has_version(path, replace(BY_NAME["capi-core"], version="v1.14.3"))


def test_a_directory_gives_what_fits_and_says_why_it_does_not(tmp_path: Path) -> None:
    script(tmp_path / "etcd", "etcd Version: 3.6.14")
    target = tmp_path / "out"
    from_directory(tmp_path, BY_NAME["etcd"], target)
    assert target.read_bytes() == (tmp_path / "etcd").read_bytes()
    assert target.stat().st_mode & 0o111
    with pytest.raises(SkippedError, match="has no kubectl"):
        from_directory(tmp_path, BY_NAME["kubectl"], target)
    script(tmp_path / "kubectl", "Client Version: v1.30.0")
    with pytest.raises(SkippedError, match=r"is not v1\.36\.3"):
        from_directory(tmp_path, BY_NAME["kubectl"], target)


def publish_kubelet(mirror: Mirror, content: bytes, checksum: str) -> Program:
    path = "/dl.k8s.io/release/v1.36.3/bin/linux/amd64/kubelet"
    mirror.files[path] = content
    mirror.files[f"{path}.sha256"] = checksum.encode()
    return BY_NAME["kubelet"]


def test_a_release_is_downloaded_when_its_checksum_fits(mirror: Mirror, tmp_path: Path) -> None:
    content = b"the kubelet"
    program = publish_kubelet(mirror, content, hashlib.sha256(content).hexdigest())
    from_release(mirror.url, program, tmp_path / "kubelet")
    assert (tmp_path / "kubelet").read_bytes() == content
    assert (tmp_path / "kubelet").stat().st_mode & 0o111


def test_a_release_with_another_checksum_is_refused(mirror: Mirror, tmp_path: Path) -> None:
    program = publish_kubelet(mirror, b"tampered", hashlib.sha256(b"original").hexdigest())
    with pytest.raises(SkippedError, match="published checksum"):
        from_release(mirror.url, program, tmp_path / "kubelet")
    assert list(tmp_path.iterdir()) == []


def test_a_program_is_taken_out_of_its_archive(mirror: Mirror, tmp_path: Path) -> None:
    stem = "etcd-v3.6.14-linux-amd64"
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        member = tarfile.TarInfo(f"{stem}/etcdctl")
        member.size = 3
        archive.addfile(member, io.BytesIO(b"ctl"))
    base = "/github.com/etcd-io/etcd/releases/download/v3.6.14"
    digest = hashlib.sha256(buffer.getvalue()).hexdigest()
    mirror.files[f"{base}/{stem}.tar.gz"] = buffer.getvalue()
    mirror.files[f"{base}/SHA256SUMS"] = (
        f"{'0' * 64}  other.tar.gz\n{digest}  {stem}.tar.gz\n".encode()
    )
    from_release(mirror.url, BY_NAME["etcdctl"], tmp_path / "etcdctl")
    assert (tmp_path / "etcdctl").read_bytes() == b"ctl"
    assert [path.name for path in tmp_path.iterdir()] == ["etcdctl"]


def test_a_mirror_without_the_program_is_skipped(mirror: Mirror, tmp_path: Path) -> None:
    with pytest.raises(SkippedError, match="404"):
        from_release(mirror.url, BY_NAME["coredns"], tmp_path / "coredns")


def test_a_server_that_is_not_there_is_skipped(tmp_path: Path) -> None:
    mirror = Mirror()
    mirror.server.server_close()
    with pytest.raises(SkippedError, match="refused"):
        from_release(mirror.url, BY_NAME["kubectl"], tmp_path / "kubectl")


def test_managers_are_published_as_images_only(tmp_path: Path) -> None:
    with pytest.raises(SkippedError, match="not published"):
        from_release("http://127.0.0.1:9", BY_NAME["capi-core"], tmp_path / "capi-core")
