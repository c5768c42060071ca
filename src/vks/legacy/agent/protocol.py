"""What agent and hub say to each other: JSON objects, one per text message of a websocket.

From the agent:
    {"type": "hello", "version": 1, "images": [NAME, …]}       once, first
    {"type": "report", "plan": DIGEST, "failure": TEXT, "probes": {NAME: PROBLEM},
     "running": {SERVICE: [ARGUMENT, …]},                      command lines of what really runs
     "node": {"ready": BOOL, "podCIDR": CIDR} or null}         when it changed, or as a heartbeat
    {"type": "answer", "id": N, "status": HTTP, "body": TEXT}  status 0: no answer, body says why

From the hub:
    {"type": "plan", "plan": {…}}                              see `vks.legacy.plan.model`
    {"type": "call", "id": N, "endpoint": NAME, "method": …, "path": …, "body": TEXT,
     "contentType": …}                                         an HTTP request to a plan's endpoint

`plan` in a report is the digest of the plan that the node is like, empty when it is like none.
"""

from __future__ import annotations

VERSION = 1

#: Seconds between reports when nothing changes.
HEARTBEAT = 10.0
#: Seconds between the hub's pings.
PING = 10.0
#: Seconds after which a connection that nothing came from counts as lost, on either side.
SILENCE = 30.0
#: The largest message, in bytes; an answer may hold every pod of a node.
MAX_MESSAGE = 16 * 1024 * 1024


def path(namespace: str, node: str) -> str:
    """Where the agent of that node connects."""
    return f"/v1/agents/{namespace}/{node}"
