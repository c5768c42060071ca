import pytest

from vks.local.assets.programs import assets_digest, programs
from vks.local.assets.toolchain import ToolchainError, go_version, required_go
from vks.local.assets.versions import (
    UpstreamError,
    Versions,
    pinned_versions,
    required_version,
    upstream_directory,
)

GO_MOD = """module x

go 1.26.0

require (
	k8s.io/api v0.36.3 // indirect
	k8s.io/kubernetes v1.36.3 // indirect
)
require go.etcd.io/etcd/server/v3 v3.6.14
"""


@pytest.mark.parametrize(
    ("module", "version"),
    [("k8s.io/kubernetes", "v1.36.3"), ("go.etcd.io/etcd/server/v3", "v3.6.14")],
)
def test_a_version_is_read_from_both_forms_of_require(module: str, version: str) -> None:
    assert required_version(GO_MOD, module) == version


def test_a_module_that_is_not_required_is_an_error() -> None:
    with pytest.raises(UpstreamError, match=r"k8s\.io/kube"):
        required_version(GO_MOD, "k8s.io/kube")


def test_every_project_of_a_program_is_pinned_with_checksums() -> None:
    for program in programs(pinned_versions()):
        project = upstream_directory() / program.project
        assert program.version.removeprefix("v") in (project / "go.mod").read_text()
        assert (project / "go.sum").is_file()


def test_kubernetes_programs_are_stamped_with_their_version() -> None:
    versions = Versions(kubernetes="v1.36.3", cluster_api="v1", etcd="v2", coredns="v3")
    stamped = {p.name: p.linker_flags for p in programs(versions)}["kubeadm"]
    assert "k8s.io/component-base/version.gitVersion=v1.36.3" in stamped
    assert "k8s.io/component-base/version.gitMinor=36" in stamped


def test_another_version_or_flag_is_another_key() -> None:
    upstream = upstream_directory()
    one = programs(Versions("v1.36.3", "v1.14.2", "v3.6.14", "v1.14.3"))
    other = programs(Versions("v1.36.4", "v1.14.2", "v3.6.14", "v1.14.3"))
    assert assets_digest(upstream, one) == assets_digest(upstream, one)
    assert assets_digest(upstream, one) != assets_digest(upstream, other)


def test_the_newest_go_that_any_project_asks_for_is_required() -> None:
    assert required_go(["module a\ngo 1.25.1\n", GO_MOD]) == (1, 26)
    assert go_version("go version go1.26.8 linux/amd64") == (1, 26)
    with pytest.raises(ToolchainError):
        go_version("not it")
