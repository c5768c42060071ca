"""What a node must run, as a pure function of facts."""

from __future__ import annotations

import json
import shlex

import msgspec
import pytest
import yaml
from tests.unit.legacy.builders import IMAGES, LEARNER, VOTER, cluster_facts, node_facts

from vks.legacy.plan.build import build, introduction
from vks.legacy.plan.facts import ImageMissingError, Images
from vks.legacy.plan.model import Plan
from vks.legacy.plan.units import service
from vks.resources.legacynode import EtcdMember


def plan(etcd: EtcdMember | None = None) -> Plan:
    return build(cluster_facts(), node_facts(etcd=etcd))


def services(made: Plan) -> list[str]:
    return [service.name for service in made.services]


def flags(made: Plan, name: str) -> dict[str, str]:
    unit = next(s.unit for s in made.services if s.name == name)
    command = unit.split("ExecStart=")[1].split("\nRestart=")[0].replace("\\\n", " ")
    words = [word for word in shlex.split(command) if word.startswith("--")]
    return {flag: value for flag, _, value in (word.partition("=") for word in words)}


def contents(made: Plan) -> dict[str, str]:
    return {file.path: file.content for file in made.files}


def test_a_worker_runs_its_way_to_the_api_kubelet_and_kube_proxy() -> None:
    assert services(plan()) == ["legacy-api-proxy", "legacy-kubelet", "legacy-kube-proxy"]
    assert [program.target.rpartition("/")[2] for program in plan().programs] == ["kube-proxy"]


def test_a_control_plane_runs_everything_as_plain_services() -> None:
    assert services(plan(VOTER)) == [
        "legacy-etcd",
        "legacy-kube-apiserver",
        "legacy-kube-controller-manager",
        "legacy-kube-scheduler",
        "legacy-api-proxy",
        "legacy-kubelet",
        "legacy-kube-proxy",
    ]
    assert "pod-manifest-path" not in flags(plan(VOTER), "legacy-kubelet")


def test_a_learner_runs_etcd_alone() -> None:
    made = plan(LEARNER)
    assert services(made) == ["legacy-etcd"]
    assert set(made.endpoints) == {"etcd"}
    assert made.node is None


def test_a_learner_is_let_in_by_its_sponsor_where_it_has_one() -> None:
    facts = msgspec.structs.replace(node_facts(etcd=LEARNER), sponsor="10.0.0.9")
    before, after = introduction(cluster_facts(), facts), build(cluster_facts(), facts)
    for made in (before, after):
        assert made.endpoints["etcd"].url == "https://10.0.0.9:2379"
    assert (before.services, before.programs) == ((), ())
    assert not {"CA-KEY", "SA-KEY"} & {*contents(before).values()}
    voter = msgspec.structs.replace(facts, etcd=VOTER)
    assert build(cluster_facts(), voter).endpoints["etcd"].url == "https://127.0.0.1:2379"


def test_control_planes_can_ask_guests_for_their_etcd() -> None:
    made = build(cluster_facts(guests=("10.0.0.9",)), node_facts(etcd=VOTER))
    assert made.endpoints["etcd@10.0.0.9"].url == "https://10.0.0.9:2379"
    assert set(plan(VOTER).endpoints) == {"etcd", "api"}


def test_etcd_members_are_named_after_their_host_in_the_old_way() -> None:
    etcd = flags(plan(VOTER), "legacy-etcd")
    assert etcd["--name"] == "etcd-cp-a"
    assert etcd["--initial-cluster-state"] == "new"
    assert etcd["--listen-client-urls"] == "https://10.0.0.1:2379,https://127.0.0.1:2379"
    assert "--client-cert-auth" in etcd
    assert "--peer-client-cert-auth" in etcd


def test_workers_get_no_key_of_an_authority_and_nothing_to_call() -> None:
    made = plan()
    everything = msgspec.json.encode(made).decode()
    for secret in ("CA-KEY", "FRONT-KEY", "SA-KEY", "ENCRYPTION-KEY", "kube-admin"):
        assert secret not in everything
    assert made.endpoints == {}


def test_no_secret_is_on_a_command_line_and_none_is_readable_by_others() -> None:
    made = plan(VOTER)
    for service_ in made.services:
        assert "KEY" not in service_.unit.replace("PRIVATE", "")
    secret = {file.path for file in made.files if "KEY" in file.content}
    secret |= {file.path for file in made.files if file.path.endswith(".kubeconfig")}
    assert secret
    assert {file.mode for file in made.files if file.path in secret} == {0o600}


def test_servers_lack_names_that_were_not_known() -> None:
    from vks.legacy.plan.certificates import control_plane_certificates

    names = control_plane_certificates(cluster_facts(), "cp-a", "10.0.0.1")["kube-apiserver"].names
    assert "10.0.0.1" in names
    assert "10.96.0.1" in names
    assert "10.0.0.2" not in names


def test_components_reach_the_api_by_the_nodes_own_proxy() -> None:
    made = contents(plan(VOTER))
    for component in ("kubelet", "kube-proxy", "kube-controller-manager", "kube-scheduler"):
        document = yaml.safe_load(made[f"/etc/vks-legacy/{component}.kubeconfig"])
        assert document["clusters"][0]["cluster"]["server"] == "https://127.0.0.1:7443"
    proxy = json.loads(made["/etc/vks-legacy/api-proxy.json"])
    assert proxy == {"listen": 7443, "backends": ["10.0.0.1:6443", "10.0.0.2:6443"]}


def test_another_control_plane_restarts_nothing() -> None:
    """The list of backends is read by the proxy itself: no service depends on the file."""
    before = plan(VOTER)
    after = build(
        cluster_facts(api_servers=("10.0.0.1:6443", "10.0.0.2:6443", "10.0.0.3:6443")),
        node_facts(etcd=VOTER),
    )
    assert before.digest != after.digest
    changed = {f.path for f in after.files} - {f.path for f in before.files if f in after.files}
    assert changed == {"/etc/vks-legacy/api-proxy.json"}
    assert before.services == after.services
    assert not any(changed & {*service_.files} for service_ in after.services)


def test_every_file_that_a_service_watches_is_in_the_plan() -> None:
    for made in (plan(), plan(LEARNER), plan(VOTER)):
        for service_ in made.services:
            assert {*service_.files} <= {*contents(made)}


def test_the_digest_is_that_of_the_content() -> None:
    assert plan(VOTER).digest == plan(VOTER).digest
    assert plan(VOTER).digest != plan().digest


def test_a_promoted_learner_keeps_its_etcd_running() -> None:
    promoted = msgspec.structs.replace(LEARNER, voter=True)
    before = next(s for s in plan(LEARNER).services if s.name == "legacy-etcd")
    after = next(s for s in plan(promoted).services if s.name == "legacy-etcd")
    assert before == after


def test_images_are_found_by_their_repository() -> None:
    images = Images.among(IMAGES)
    assert images.etcd == "registry.k8s.io/etcd:3.6.14-0"
    assert images.version == "v1.36.3"
    with pytest.raises(ImageMissingError, match="etcd"):
        Images.among(name for name in IMAGES if "etcd" not in name)


def test_a_node_runs_its_own_kube_proxy_although_it_brings_its_neighbours() -> None:
    beside = ["registry.k8s.io/kube-proxy:v1.35.4", "registry.k8s.io/kube-proxy:v1.37.0"]
    images = Images.among([*IMAGES, *beside])
    assert images.proxy == "registry.k8s.io/kube-proxy:v1.36.3"
    assert images.version == "v1.36.3"


def test_flags_are_quoted_for_systemd() -> None:
    unit = service("x", "/bin/x", ['--a=b c"d', "--e=$HOME", "--f=100%"]).unit
    assert '"--a=b c\\"d"' in unit
    assert '"--e=$$HOME"' in unit
    assert '"--f=100%%"' in unit
