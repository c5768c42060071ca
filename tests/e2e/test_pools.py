"""Node pools on real servers: user scripts, what rolls and what does not, scaling from zero."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from tests.support.apiserver import programs
from tests.support.localregion import region_name

NAME = region_name("pools")
VKS = Path(sys.executable).with_name("vks")
#: GiB of the disks of one pool's nodes.
ROOT_VOLUME = 8

pytestmark = [
    pytest.mark.timeout(1200),
    pytest.mark.skipif(os.geteuid() != 0, reason="servers need root"),
]

LOOK = r"""
files_with() { grep -rlE -D skip --exclude-dir=containerd "$@" 2>/dev/null | wc -l; }
token='token: *[a-z0-9]{6}\.[a-z0-9]{16}'
echo "tokens: $(files_with "$token" /run /etc /root /tmp /var/lib/cloud /var/lib/vks)"
echo "keys: $(files_with 'PRIVATE KEY' /run /etc/kubernetes /var/lib/kubelet)"
"""
PRE = f"""#!/bin/bash
{LOOK}
echo "environment: $(env | cut -d= -f1 | sort | tr '\\n' ' ')"
echo 'markers: {{{{ ds.meta_data.uuid }}}} {{% raw %}} "quoted" # ü'
mkdir -p /mnt/data && mount -t tmpfs none /mnt/data
test ! -e /etc/kubernetes/kubelet.conf && echo "kubeadm: not yet"
"""
POST = f"""
{LOOK}
mountpoint -q /mnt/data && echo "mount: kept"
test -e /etc/kubernetes/kubelet.conf && echo "kubeadm: done"
"""
#: What systemd and bash put there, and HOME.
ENVIRONMENT = {
    *("HOME", "INVOCATION_ID", "LANG", "LOGNAME", "OLDPWD", "PATH", "PWD", "SHELL", "SHLVL"),
    *("SYSTEMD_EXEC_PID", "USER", "_", "JOURNAL_STREAM"),
}


def vks(*arguments: str, fails: bool = False) -> str:
    done = subprocess.run(
        [str(VKS), *arguments],
        capture_output=True,
        text=True,
        timeout=900,
        env={**os.environ, "VKS_LOCAL_REGION": NAME},
    )
    said = f"vks {' '.join(arguments)}:\n{done.stdout}{done.stderr}"
    assert (done.returncode != 0) is fails, said
    return done.stdout + (done.stderr if fails else "")


def items(*arguments: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(vks(*arguments, "-o", "json"))["items"]
    return found


def nodes(pool: str) -> list[dict[str, Any]]:
    return items("pool", "nodes", "demo", pool)


def names(pool: str) -> list[str]:
    return sorted(node["name"] for node in nodes(pool))


def reach(holds: Callable[[], bool], within: float = 300.0) -> None:
    deadline = time.monotonic() + within
    while not holds():
        assert time.monotonic() < deadline, f"not within {within:.0f} s"
        time.sleep(1)


@pytest.fixture(scope="module")
def management() -> Iterator[str]:
    """A region with a small cluster in it; its management kubeconfig."""
    vks("down", "--name", NAME, "--purge")  # what a killed run left
    vks("up", "--name", NAME)
    yield json.loads(vks("status", "--name", NAME, "-o", "json"))["kubeconfig"]
    vks("down", "--name", NAME, "--purge")
    assert not list(Path("/run/netns").glob(f"vks-{NAME}*"))


@pytest.fixture(scope="module")
def kubectl(management: str, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Any]:
    """kubectl in the cluster, which it makes first."""
    directory = tmp_path_factory.mktemp("pools")
    for name, text in (("pre", PRE), ("post", POST)):
        (directory / name).write_text(text)
    scripts = f"pre={directory}/pre;post={directory}/post;on-failure=FailNode"
    vks(
        *("cluster", "create", "demo", "--control-plane", "1"),
        *("--pool", f"name=plain;count=1;flavor=small;zones={NAME}-1;root-volume={ROOT_VOLUME}"),
        *("--pool", f"name=scripted;count=1;flavor=small;zones={NAME}-2;{scripts}"),
        *("--pool", f"name=elastic;flavor=small;zones={NAME}-3;min=0;max=2;label=tier:web"),
    )
    config = directory / "kubeconfig"
    vks("kubeconfig", "save", "demo", "--file", str(config))

    def run(*arguments: str) -> Any:
        return kubectl_with(str(config), *arguments)

    return run


def kubectl_with(config: str, *arguments: str) -> Any:
    command = [str(programs() / "kubectl"), f"--kubeconfig={config}", *arguments, "-o", "json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, f"{command}\n{done.stderr}"
    return json.loads(done.stdout)


def test_scripts_run_without_secrets_and_say_how_they_went(kubectl: Callable[..., Any]) -> None:
    (node,) = nodes("scripted")
    result = node["userScript"]
    assert result["complete"]
    for phase, kubeadm in (("pre", "not yet"), ("post", "done")):
        part = result[phase]
        assert (part["outcome"], part["exitCode"]) == ("Succeeded", 0), part
        assert part["durationSeconds"] > 0
        said = dict(line.split(": ", 1) for line in part["lines"].splitlines())
        assert (said["tokens"], said["keys"], said["kubeadm"]) == ("0", "0", kubeadm)
    said = dict(line.split(": ", 1) for line in result["pre"]["lines"].splitlines())
    assert set(said["environment"].split()) <= ENVIRONMENT
    assert said["markers"] == '{{ ds.meta_data.uuid }} {% raw %} "quoted" # ü'
    assert "mount: kept" in result["post"]["lines"]

    shown = kubectl("get", "node", node["name"])
    conditions = {c["type"]: c for c in shown["status"]["conditions"]}
    assert conditions["UserScriptSucceeded"]["status"] == "True"
    keys = [taint["key"] for taint in shown["spec"].get("taints", [])]
    assert "vks.verda/user-script" not in keys
    (plain,) = nodes("plain")
    assert plain["userScript"] is None


def test_a_node_has_the_disk_that_was_asked_for(kubectl: Callable[..., Any]) -> None:
    (plain,) = names("plain")
    capacity = kubectl("get", "node", plain)["status"]["capacity"]["ephemeral-storage"]
    size = int(capacity.removesuffix("Ki")) / 2**20
    assert 0.9 * ROOT_VOLUME < size <= ROOT_VOLUME
    change = ("pool", "update", "demo", "plain", "--root-volume", f"{ROOT_VOLUME + 1}")
    plan = json.loads(vks(*change, "--plan", "-o", "json"))
    assert [node["name"] for node in plan["replaced"]] == [plain]
    assert plan["because"] == ["rootVolume"]


def test_a_node_has_the_address_that_was_chosen_for_it(kubectl: Callable[..., Any]) -> None:
    (plain,) = nodes("plain")
    chosen = str(ip_address(address(plain)) + 100)
    create = ("pool", "create", "demo", "--count", "1", "--flavor", "small", "--zones", f"{NAME}-3")
    vks(*create, "chosen", "--static-ips", chosen)
    (node,) = nodes("chosen")
    assert address(node) == chosen
    (slot,) = json.loads(vks("static-ip", "get", "chosen", "--cluster", "demo", "-o", "json"))[
        "slots"
    ]
    assert (slot["address"], slot["node"], slot["state"]) == (chosen, node["name"], "InUse")
    said = vks(*create, "other", "--static-ips", chosen, fails=True)
    assert f"staticIP.addresses.0: {chosen} is used by" in said
    assert [pool["name"] for pool in items("pool", "list", "demo")].count("other") == 0


def address(node: dict[str, Any]) -> str:
    return str(next(a["address"] for a in node["addresses"] if a["type"] == "InternalIP"))


def test_labels_and_taints_reach_nodes_that_stay(kubectl: Callable[..., Any]) -> None:
    before = names("scripted")
    vks(
        *("pool", "update", "demo", "scripted", "--label", "tier=db"),
        *("--taint", "dedicated=db:PreferNoSchedule"),
    )
    assert names("scripted") == before

    def dressed() -> bool:
        node = kubectl("get", "node", before[0])
        keys = [taint["key"] for taint in node["spec"].get("taints", [])]
        return node["metadata"]["labels"].get("tier") == "db" and "dedicated" in keys

    reach(dressed, within=30)


def test_a_script_that_fails_stops_the_roll_and_the_next_one_goes_on(
    kubectl: Callable[..., Any], tmp_path: Path
) -> None:
    script = tmp_path / "post"
    script.write_text("echo 'no such disk'\nexit 3\n")
    change = ("pool", "update", "demo", "scripted", "--post", str(script))
    old, plain = names("scripted"), names("plain")
    plan = json.loads(vks(*change, "--plan", "-o", "json"))
    assert [node["name"] for node in plan["replaced"]] == old
    assert plan["because"] == ["userScript"]
    assert "say --yes" in vks(*change, fails=True)
    assert names("scripted") == old, "a plan changes nothing"

    said = vks(*change, "--yes", fails=True)
    assert "UserScriptFailed" in said
    assert "post: exit code 3" in said
    found = {node["name"]: node for node in nodes("scripted")}
    assert set(old) < set(found), "the old node serves on"
    (new,) = set(found) - set(old)
    assert found[new]["userScript"]["post"]["exitCode"] == 3
    assert "no such disk" in found[new]["userScript"]["post"]["lines"]
    taints = kubectl("get", "node", new)["spec"]["taints"]
    assert "vks.verda/user-script" in [taint["key"] for taint in taints]

    script.write_text("echo fine\n")
    vks(*change, "--yes")
    (node,) = nodes("scripted")
    assert node["name"] not in found
    assert node["userScript"]["post"]["lines"] == "fine\n"
    assert names("plain") == plain


def test_the_autoscaler_finds_what_it_needs_to_scale_from_zero(
    management: str, kubectl: Callable[..., Any]
) -> None:
    def manage(*arguments: str) -> Any:
        return kubectl_with(management, "--namespace=p-test", *arguments)

    group = f"machinedeployment/demo-elastic-{NAME}-3"
    assert names("elastic") == []
    found = manage("get", group)
    reference = found["spec"]["template"]["spec"]["infrastructureRef"]["name"]
    template = manage("get", f"verdamachinetemplate/{reference}")
    assert set(template["status"]["capacity"]) >= {"cpu", "memory", "ephemeral-storage"}
    assert template["status"]["nodeInfo"] == {"architecture": "amd64", "operatingSystem": "linux"}

    promised = dict(
        label.split("=")
        for label in found["metadata"]["annotations"][
            "capacity.cluster-autoscaler.kubernetes.io/labels"
        ].split(",")
    )
    manage("scale", group, "--replicas=1")
    reach(lambda: [node["ready"] for node in nodes("elastic")] == [True])
    (node,) = nodes("elastic")

    def promise_kept() -> bool:
        labels = kubectl("get", "node", node["name"])["metadata"]["labels"]
        return bool(promised.items() <= labels.items())

    reach(promise_kept, within=30)
    manage("annotate", f"machine/{node['name']}", "cluster.x-k8s.io/delete-machine=chosen")
    manage("scale", group, "--replicas=0")
    reach(lambda: names("elastic") == [])


def test_what_is_deleted_and_what_is_kept_is_known_before(kubectl: Callable[..., Any]) -> None:
    vks("cluster", "update", "demo", "--deletion-protection")
    assert "deletion_protected" in vks("cluster", "delete", "demo", "--yes", fails=True)
    vks("cluster", "update", "demo", "--no-deletion-protection")
    vks("cluster", "delete", "demo", "--yes")
    assert items("cluster", "list") == []
    assert not list(Path("/run/netns").glob(f"vks-{NAME}.*"))
