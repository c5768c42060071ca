"""What a node runs differently on its way to Cluster API, and that nothing else changes."""

from __future__ import annotations

import msgspec
import pytest
from tests.unit.legacy.builders import VOTER, cluster_facts, node_facts
from tests.unit.legacy.plan.test_build import flags

from vks.legacy.plan.build import build
from vks.legacy.plan.model import Plan, Service
from vks.legacy.plan.worker import api_servers
from vks.resources.legacynode import NodePreparation


def plan(**preparation: object) -> Plan:
    facts = node_facts(etcd=VOTER)
    prepared = NodePreparation(**preparation)  # type: ignore[arg-type]
    return build(cluster_facts(), msgspec.structs.replace(facts, preparation=prepared))


def changed(made: Plan) -> set[str]:
    """Services that restart or are new."""
    before = {service.name: service for service in plan().services}
    return {s.name for s in made.services if before.get(s.name) != s}


def unit(made: Plan, name: str) -> Service:
    return next(service for service in made.services if service.name == name)


def test_a_node_that_is_asked_for_nothing_runs_what_it_always_ran() -> None:
    assert plan() == build(cluster_facts(), node_facts(etcd=VOTER))


def test_kubeadms_nodes_can_join_with_a_token_and_read_what_is_signed() -> None:
    made = plan(kubeadm=True)
    assert changed(made) == {"legacy-kube-apiserver", "legacy-kube-controller-manager"}
    api = flags(made, "legacy-kube-apiserver")
    assert (api["--anonymous-auth"], api["--enable-bootstrap-token-auth"]) == ("true", "true")
    manager = flags(made, "legacy-kube-controller-manager")
    assert manager["--controllers"] == "*,bootstrapsigner,tokencleaner"
    assert manager["--cluster-signing-key-file"].endswith("kube-ca-key.pem")


@pytest.mark.parametrize("kubeadm", [True, False])
def test_open_watches_hold_no_api_server_that_is_changed_or_changed_back(kubeadm: bool) -> None:
    stop = "TimeoutStopSec=15"
    assert stop not in unit(plan(), "legacy-kube-apiserver").unit
    made = plan(kubeadm=kubeadm, server_names=("10.0.0.9",))
    assert stop in unit(made, "legacy-kube-apiserver").unit


def test_an_etcd_member_gets_another_name_and_keeps_everything_else() -> None:
    made = plan(etcd_name="cp-a")
    assert changed(made) == {"legacy-etcd"}
    before, after = flags(plan(), "legacy-etcd"), flags(made, "legacy-etcd")
    assert after["--name"] == "cp-a"
    assert after.pop("--listen-metrics-urls") == "http://127.0.0.1:2381"
    assert before | {"--name": "cp-a"} == after


def test_a_detour_turns_new_connections_away_and_restarts_nothing() -> None:
    made = plan(drained=True, detour="10.0.0.2")
    assert changed(made) == {"legacy-api-detour"}
    rules = unit(made, "legacy-api-detour").unit
    assert "--insert PREROUTING --protocol tcp --destination 10.0.0.1 --dport 6443" in rules
    assert "--to-destination 10.0.0.2:6443" in rules
    inserted = {line.partition("--insert")[2] for line in rules.splitlines() if "--insert" in line}
    for prefix in ("ExecStartPre=-", "ExecStop="):
        lines = [line for line in rules.splitlines() if line.startswith(prefix)]
        assert {line.partition("--delete")[2] for line in lines} == inserted


@pytest.mark.parametrize("servers", [("10.0.0.9:6443",), ("10.0.0.9:6443", "10.0.0.2:6443")])
def test_a_plan_tells_where_its_node_reaches_the_api(servers: tuple[str, ...]) -> None:
    made = build(cluster_facts(api_servers=servers), node_facts())
    assert api_servers(made) == servers
