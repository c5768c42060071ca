"""Finding a server that the caller may see."""

from __future__ import annotations

from vks.local.cloud.compute.errors import server_missing
from vks.local.cloud.compute.tables import SERVERS, Server
from vks.local.cloud.http.call import Call


def find_server(call: Call) -> Server:
    """The server of the path; 404 for unknown, foreign and deleted ones alike."""
    server_id = call.params["server_id"]
    server = SERVERS.get(call.db, id=server_id, deleted=False)
    if server is None or not (call.caller.is_admin or server.project_id == call.caller.project):
        raise server_missing(server_id)
    return server
