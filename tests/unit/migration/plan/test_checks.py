"""A cluster that cannot be migrated is refused with every reason at once; others are not."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from vks.migration.plan.checks import CHECKS, findings
from vks.migration.plan.facts import (
    AuthorityFacts,
    BudgetFacts,
    EncryptionFacts,
    Facts,
    MemberFacts,
    NodeFacts,
    QuotaFacts,
    WebhookFacts,
)
from vks.migration.plan.outcome import outcome

NOW = datetime(2026, 1, 1, tzinfo=UTC)
VIP = "10.60.0.7"


def running(address: str, **api: str) -> dict[str, dict[str, str]]:
    extra = {f"--{name.replace('_', '-')}": value for name, value in api.items()}
    return {
        "kube-apiserver": {
            "--advertise-address": address,
            "--etcd-servers": "https://127.0.0.1:2379",
            "--service-account-issuer": "vks-legacy",
            "--encryption-provider-config": "/etc/vks-legacy/encryption.yaml",
            "--anonymous-auth": "false",
            **extra,
        },
        "kube-controller-manager": {"--cluster-cidr": "10.244.0.0/16"},
        "kube-scheduler": {"--leader-elect": "true"},
        "etcd": {"--name": f"etcd-{address}", "--data-dir": "/var/lib/etcd"},
    }


def plane(index: int, **more: Any) -> NodeFacts:
    address = f"10.0.0.{index}"
    base = NodeFacts(
        name=f"cp-{index}",
        address=address,
        control_plane=True,
        version="v1.36.3",
        provider_id=f"verda:///tokyo/z1/s{index}",
        running=running(address),
        server_names=("kubernetes", address),
    )
    return msgspec.structs.replace(base, **more)


def worker(index: int, **more: Any) -> NodeFacts:
    base = NodeFacts(
        name=f"w-{index}",
        address=f"10.0.1.{index}",
        control_plane=False,
        version="v1.36.3",
        provider_id=f"verda:///tokyo/z1/w{index}",
    )
    return msgspec.structs.replace(base, **more)


def member(index: int, **more: Any) -> MemberFacts:
    base = MemberFacts(name=f"etcd-cp-{index}", peer_url=f"https://10.0.0.{index}:2380")
    return msgspec.structs.replace(base, **more)


def facts(**more: Any) -> Facts:
    """A cluster of three control planes and two workers that can be migrated."""
    base = Facts(
        cluster="old",
        offered=("v1.35.4", "v1.36.3"),
        version="v1.36.3",
        ready=True,
        now=NOW,
        nodes=(plane(1), plane(2), plane(3), worker(1), worker(2)),
        members=(member(1), member(2), member(3)),
        authorities=(AuthorityFacts(name="kube-ca", not_after=NOW + timedelta(days=1000)),),
        encryption=EncryptionFacts(used=("vks-legacy-key",), held=("vks-legacy-key",)),
        webhooks=(WebhookFacts(name="polite", resources=("pods",), fails_closed=False),),
        budgets=(BudgetFacts(name="shop/web", allowed=1, pods=2),),
        quota=QuotaFacts(servers=5, load_balancers=1),
        pools=1,
    )
    return msgspec.structs.replace(base, **more)


def test_a_sound_cluster_may_be_migrated() -> None:
    assert findings(facts()) == []


NODES = (plane(1), plane(2), plane(3), worker(1), worker(2))
REFUSED: dict[str, tuple[str, dict[str, Any]]] = {
    "not ready": ("ClusterReady", {"ready": False}),
    "a node that is down": ("NodesReady", {"nodes": (*NODES[:4], worker(2, ready=False))}),
    "a silent API": ("ApiAnswers", {"api_failure": "certificate has expired"}),
    "an upgrade under way": ("NothingUnderWay", {"operations": ("UpgradeCluster op-1",)}),
    "too old": ("VersionSupported", {"version": "v1.30.1", "nodes": tuple(
        msgspec.structs.replace(n, version="v1.30.1") for n in NODES)}),
    "mixed versions": (
        "VersionSupported", {"nodes": (*NODES[:4], worker(2, version="v1.35.4"))}),
    "no version at all": ("VersionSupported", {"version": "", "nodes": tuple(
        msgspec.structs.replace(n, version="") for n in NODES)}),
    "even control planes": ("ControlPlaneCount", {"nodes": (plane(1), plane(2)),
                                                  "members": (member(1),)}),
    "a component that is down": ("ComponentsRunning", {"nodes": (*NODES[:2], plane(3, running={
        key: value for key, value in running("10.0.0.3").items() if key != "kube-scheduler"
    }))}),
    "external etcd": ("EtcdStacked", {"nodes": tuple(
        plane(i, running=running(f"10.0.0.{i}", etcd_servers="https://etcd.example:2379"))
        for i in (1, 2, 3))}),
    "even membership": ("EtcdMembers", {"members": (member(1), member(2))}),
    "a learner": ("EtcdMembers", {"members": (*facts().members, member(1, learner=True))}),
    "an unhealthy member": ("EtcdMembers", {"members": (member(1), member(2),
                                                        member(3, healthy=False))}),
    "a stranger in etcd": ("EtcdMembers", {"members": (member(1), member(2), member(9))}),
    "an expired authority": ("AuthoritiesValid", {"authorities": (
        AuthorityFacts(name="kube-ca", not_after=NOW - timedelta(days=1)),)}),
    "an authority that expires soon": ("AuthoritiesValid", {"authorities": (
        AuthorityFacts(name="kube-ca", not_after=NOW + timedelta(days=20)),)}),
    "an authority without its key": ("AuthoritiesValid", {"authorities": (AuthorityFacts(
        name="kube-ca", not_after=NOW + timedelta(days=1000), has_key=False),)}),
    "an authority with another's key": ("AuthoritiesValid", {"authorities": (AuthorityFacts(
        name="kube-ca", not_after=NOW + timedelta(days=1000), key_fits=False),)}),
    "a lost encryption key": ("EncryptionKeys", {"encryption": EncryptionFacts(
        used=("new", "old"), held=("new",))}),
    "drifted flags": ("FlagsEqual", {"nodes": (
        plane(1), plane(2), plane(3, running=running("10.0.0.3", audit_log_maxage="3")))}),
    "a file that nobody else has": ("FilesKnown", {"nodes": tuple(
        plane(i, running=running(f"10.0.0.{i}", audit_policy_file="/etc/audit.yaml"))
        for i in (1, 2, 3))}),
    "no provider id": ("ProviderIDs", {"nodes": (*NODES[:4], worker(2, provider_id=""))}),
    "one server twice": ("ProviderIDs", {"nodes": (
        *NODES[:4], worker(2, provider_id=NODES[3].provider_id))}),
    "a webhook that blocks": ("WebhooksHarmless", {"webhooks": (
        WebhookFacts(name="strict", resources=("*",), fails_closed=True),)}),
    "a budget that blocks": ("BudgetsAllow", {"budgets": (
        BudgetFacts(name="shop/db", allowed=0, pods=1),)}),
    "an earlier attempt": ("NoKubeadmObjects", {"kubeadm_objects": (
        "kube-system/kubeadm-config",)}),
    "no room for a server": ("QuotaSuffices", {"quota": QuotaFacts(servers=1)}),
    "no room for a load balancer": ("QuotaSuffices", {"quota": QuotaFacts(load_balancers=0)}),
}  # fmt: skip


@pytest.mark.parametrize("why", REFUSED)
def test_a_cluster_is_refused_for(why: str) -> None:
    check, fields = REFUSED[why]
    found = findings(facts(**fields))
    assert {finding.check for finding in found} == {check}
    assert all(finding.message and finding.fix for finding in found)


def test_every_check_can_fail() -> None:
    assert {check for check, _ in REFUSED.values()} == set(CHECKS)


def test_all_reasons_come_at_once() -> None:
    bad = facts(
        version="v1.20.0",
        members=(member(1), member(2)),
        encryption=EncryptionFacts(used=("k",)),
        budgets=(BudgetFacts(name="a/b", allowed=0, pods=1),),
    )
    found = [finding.check for finding in findings(bad)]
    assert found == ["VersionSupported"] * 2 + ["EtcdMembers", "EncryptionKeys", "BudgetsAllow"]


def test_a_drifted_flag_is_shown_with_each_nodes_value() -> None:
    nodes = (plane(1), plane(2), plane(3, running=running("10.0.0.3", v="4")))
    (found,) = findings(facts(nodes=nodes))
    assert found.message.endswith("kube-apiserver --v (cp-1: (unset), cp-2: (unset), cp-3: 4)")


def test_what_differs_by_nature_is_no_drift() -> None:
    """Addresses and member names."""
    assert findings(facts(nodes=(plane(1), plane(2), plane(3)))) == []


def test_the_plan_names_what_happens_to_each_node_and_what_carries_over() -> None:
    made = outcome(facts(), endpoint=VIP)
    assert made.summary == "5 machines would roll, 0 by surprise; about 569 s"
    by_node = {changes.node: changes.changes for changes in made.nodes}
    assert set(by_node) == {"cp-1", "cp-2", "cp-3", "w-1", "w-2"}
    assert "etcd member etcd-cp-1 is renamed to cp-1" in by_node["cp-1"][0]
    assert made.arguments["kube-apiserver"] == {
        "--encryption-provider-config": "/etc/vks-legacy/encryption.yaml",
        "--service-account-issuer": "vks-legacy",
    }
    assert made.server_names == ("10.0.0.1", "10.0.0.2", "10.0.0.3", VIP, "kubernetes")


def test_the_plan_says_that_a_reserved_address_stays() -> None:
    made = outcome(facts(nodes=(plane(1), worker(1, reserved=True), worker(2))), endpoint=VIP)
    by_node = {changes.node: changes.changes[2] for changes in made.nodes}
    assert by_node["w-1"].endswith("kubeadm worker, which has its address 10.0.1.1")
    assert by_node["w-2"].endswith("kubeadm worker")


def test_a_refused_plan_says_so_and_still_shows_what_it_would_have_been() -> None:
    made = outcome(facts(ready=False), endpoint=VIP)
    assert made.summary == "refused for 1 reasons"
    assert len(made.nodes) == 5
