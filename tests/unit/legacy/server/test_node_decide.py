"""The steps of a node's life, in their order, and what it waits for."""

from __future__ import annotations

from typing import Any

import msgspec
from tests.unit.legacy.builders import LEARNER, VOTER, cluster, cluster_facts, node, node_facts

from vks.legacy.plan.build import build
from vks.legacy.server.hub import NodeState, Report
from vks.legacy.server.legacynode.decide import decide
from vks.legacy.server.legacynode.observation import (
    AskServer,
    Done,
    EnsurePort,
    EnsureServer,
    FoundEtcd,
    JoinEtcd,
    MakePlan,
    Observation,
    PromoteEtcd,
    SendPlan,
    Wait,
)
from vks.verda.compute import Server

ACTIVE = Server(id="s1", status="ACTIVE")
PLAN = build(cluster_facts(), node_facts(etcd=VOTER))
WELL = Report(plan=PLAN.digest, probes={"etcd": ""}, node=NodeState(ready=True))


def seen(**more: Any) -> Observation:
    """A control plane of a running cluster, all well."""
    base = Observation(
        node=node("cp-a"),
        cluster=cluster(founder="cp-z"),
        port_id="p1",
        address="10.0.0.1",
        server_id="s1",
        server=ACTIVE,
        server_asked=True,
        etcd=VOTER,
        report=WELL,
        sent=PLAN.digest,
        plan=PLAN,
    )
    return msgspec.structs.replace(base, **more)


def reason(observation: Observation) -> str:
    step = decide(observation)
    assert isinstance(step, Wait), step
    return step.reason


def test_a_node_is_made_from_its_port_on() -> None:
    new = {"server_id": None, "server": None, "server_asked": False}
    assert decide(seen(**new, port_id=None, address="")) == EnsurePort()
    assert decide(seen(**new)) == EnsureServer()
    assert decide(seen(server=None, server_asked=False)) == AskServer()


def test_nothing_is_made_before_there_is_a_network() -> None:
    from vks.resources.legacycluster import LegacyClusterStatus

    bare = msgspec.structs.replace(cluster(), status=LegacyClusterStatus())
    assert reason(seen(cluster=bare, server_id=None)) == "WaitingForNetwork"


def test_a_server_that_is_gone_is_said_to_be() -> None:
    assert reason(seen(server=None)) == "ServerNotFound"
    assert reason(seen(server=Server(id="s1", status="ERROR"))) == "ServerFailed"
    assert reason(seen(server=Server(id="s1", status="SHUTOFF"))) == "ServerNotActive"
    assert reason(seen(server=Server(id="s1", status="BUILD"))) == "ServerStarting"


def test_an_agent_that_was_there_is_missed_in_other_words_than_one_that_never_was() -> None:
    assert reason(seen(report=None)) == "WaitingForAgent"
    assert reason(seen(report=None, node=node("cp-a", plan="abc"))) == "AgentDisconnected"


def test_one_node_founds_and_the_others_wait_then_join() -> None:
    fresh = {"etcd": None, "plan": None, "sent": "", "report": Report()}
    young = cluster(initialized=False, founder="cp-a")
    assert decide(seen(**fresh, cluster=young)) == FoundEtcd()
    other = seen(**fresh, cluster=young, node=node("cp-b"))
    assert reason(other) == "WaitingForFounder"
    assert decide(seen(**fresh)) == JoinEtcd()


def test_a_founder_that_comes_back_does_not_found_again() -> None:
    """The record decides, not what the node looks like."""
    back = seen(cluster=cluster(founder="cp-a"), etcd=None, plan=None)
    assert decide(back) == JoinEtcd()


def test_a_plan_is_made_sent_and_waited_for() -> None:
    assert decide(seen(plan=None)) == MakePlan()
    assert reason(seen(plan=None, unplannable="no image of etcd")) == "NoPlan"
    assert decide(seen(sent="")) == SendPlan()
    assert decide(seen(sent="older")) == SendPlan()
    assert reason(seen(report=Report(plan="older"))) == "Applying"
    assert reason(seen(report=Report(plan="", failure="disk full"))) == "PlanFailed"


def test_a_learner_is_promoted_once_its_etcd_runs() -> None:
    assert decide(seen(etcd=LEARNER)) == PromoteEtcd()


def test_a_node_is_ready_when_all_says_so() -> None:
    assert decide(seen()) == Done()
    bad = msgspec.structs.replace(WELL, probes={"etcd": "", "kubelet": "refused"})
    assert reason(seen(report=bad)) == "ServicesUnhealthy"
    assert reason(seen(report=msgspec.structs.replace(WELL, node=None))) == "WaitingForNode"
    notready = msgspec.structs.replace(WELL, node=NodeState(ready=False))
    assert reason(seen(report=notready)) == "NodeNotReady"
