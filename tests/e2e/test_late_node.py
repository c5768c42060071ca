"""A node does not come up: the operation says so, why, and what its console said last."""

from __future__ import annotations

import json

from tests.support.accidents import unplugged
from tests.support.localregion import NAMESPACE, LocalRegion, until
from tests.support.workload import Workload

DEADLINE = 20


def test_a_node_that_misses_its_deadline_fails_the_operation_with_the_console(
    region: LocalRegion, demo: Workload
) -> None:
    pool = {"name": "late", "replicas": 1, "flavor": "small", "zones": region.zones[:1]}
    operation = region.ask("POST", "clusters/demo/node-pools", pool)
    (machine,) = until(
        lambda: [
            m
            for m in region.objects("verdamachines", "demo")
            if m["metadata"]["name"].startswith("demo-late-")
            and m.get("status", {}).get("serverID")
        ],
        bool,
        within=30.0,
    )
    name, server = machine["metadata"]["name"], machine["status"]["serverID"]
    with unplugged(region, server):
        shorter = json.dumps({"spec": {"nodeStartupTimeoutSeconds": DEADLINE}})
        where = (f"--namespace={NAMESPACE}", "--type=merge", f"--patch={shorter}")
        region.kubectl("patch", "verdamachine", name, *where)
        failed = until(
            lambda: region.operation(operation),
            lambda seen: seen["phase"] in ("Failed", "Succeeded"),
            within=60.0,
        )
        assert failed["phase"] == "Failed"
        error = failed["error"]
        assert error["code"] == "NodeStartupTimeout"
        assert error["message"].startswith(
            f"{name}: no Node after {DEADLINE} s, the server is ACTIVE"
        )
        assert "cloud-init" in error["details"]
    # Its cable is back: the node joins late, and the pool is what was asked for after all.
    until(
        lambda: region.read("pool", "get", "demo", "late")["status"]["readyReplicas"],
        lambda ready: ready == 1,
        within=120.0,
    )
    region.vks("pool", "delete", "demo", "late", "--yes")
