import subprocess
from pathlib import Path

import pytest

from vks.local.assets import Release, pinned_versions
from vks.local.image import recipe
from vks.local.image.first_boot import first_boot_script


@pytest.fixture
def release() -> Release:
    return Release(
        version=pinned_versions().kubernetes,
        digest="d",
        bin=Path("/nowhere"),
        container_images=("registry.k8s.io/pause:3.10.2",),
    )


def test_facts_are_what_the_kernel_says() -> None:
    facts = dict(recipe.Facts.of_this_machine().assignments)
    unified = Path("/sys/fs/cgroup/cgroup.controllers").exists()
    assert facts["VKS_CGROUP_VERSION"] == ("2" if unified else "1")
    status = Path("/proc/self/status").read_text()
    bounding = next(line.split()[1] for line in status.splitlines() if line.startswith("CapBnd"))
    assert facts["VKS_MAY_LOWER_OOM_SCORE"] == str(int(bounding, 16) >> 24 & 1)


def test_steps_of_a_node_come_before_those_of_a_system_container() -> None:
    names = [step.name for step in recipe.steps(recipe.NODE_STEPS, recipe.CONTAINER_STEPS)]
    assert names == sorted(names)
    assert names[0] == "10-network"
    assert names[-1] == "90-clean"


@pytest.mark.parametrize("directory", [recipe.NODE_STEPS, recipe.CONTAINER_STEPS])
def test_every_step_is_a_valid_shell_script(directory: str) -> None:
    for step in recipe.steps(directory):
        subprocess.run(["sh", "-n", "-c", step.script], check=True, timeout=5)


def test_no_pod_network_is_in_the_image() -> None:
    scripts = "".join(s.script for s in recipe.steps(recipe.NODE_STEPS, recipe.CONTAINER_STEPS))
    assert ".conflist" not in scripts


def test_package_lists_have_no_comments_or_doubles() -> None:
    for name in ("node", "container"):
        packages = recipe.packages(name)
        assert packages == sorted(set(packages))
        assert all(package and " " not in package for package in packages)


def test_the_key_depends_on_every_part_and_on_where_parts_end() -> None:
    assert recipe.digest(["a", "b"]) == recipe.digest(["a", "b"])
    assert len({recipe.digest(p) for p in (["a", "b"], ["ab"], ["b", "a"], ["a", "b", ""])}) == 4


def test_the_first_boot_script_runs_the_node_steps_only(release: Release) -> None:
    script = first_boot_script(release, "http://images.verda/it's.tar")
    subprocess.run(["sh", "-n", "-c", script], check=True, timeout=5)
    for step in recipe.steps(recipe.NODE_STEPS):
        assert step.script in script
    for step in recipe.steps(recipe.CONTAINER_STEPS):
        assert step.script not in script
    assert "'http://images.verda/it'\"'\"'s.tar'" in script
    assert "VKS_PAUSE_IMAGE=registry.k8s.io/pause:3.10.2" in script


def test_the_first_boot_script_loads_images_into_the_containerd_it_configured(
    release: Release,
) -> None:
    script = first_boot_script(release, "http://x/p.tar")
    configured = script.index("/etc/containerd/config.toml <<")
    restarted = script.index("systemctl restart containerd")
    assert configured < restarted < script.index("images import")
