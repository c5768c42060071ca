"""One server: show, rename, delete, power, console."""

from __future__ import annotations

from collections.abc import Callable

from vks.local.cloud.compute.errors import validate, wrong_state
from vks.local.cloud.compute.server_lookup import find_server
from vks.local.cloud.compute.server_request import NAME
from vks.local.cloud.compute.server_views import full_view
from vks.local.cloud.compute.tables import SERVERS, Server
from vks.local.cloud.core.ids import seconds
from vks.local.cloud.http.call import Access, Call, Json, Reply
from vks.local.cloud.http.errors import bad_request, conflict, not_found
from vks.local.cloud.http.router import Route
from vks.local.servers import ServerNotFoundError


def show_server(call: Call) -> Reply:
    return Reply(body={"server": full_view(call, find_server(call), single=True)})


def update_server(call: Call) -> Reply:
    properties: Json = {
        "name": NAME,
        "OS-DCF:diskConfig": {"enum": ["AUTO", "MANUAL"]},
        "accessIPv4": {"type": "string"},
        "accessIPv6": {"type": "string"},
    }
    if call.at_least(19):
        properties["description"] = {"type": ["string", "null"], "maxLength": 255}
    if call.at_least(90):
        properties["hostname"] = {"type": "string", "minLength": 1, "maxLength": 63}
    inner = {"type": "object", "additionalProperties": False, "properties": properties}
    schema = {"type": "object", "required": ["server"], "properties": {"server": inner}}
    validate(schema, call.body)
    given = call.body["server"]
    changes = {key: given[key] for key in ("name", "description", "hostname") if key in given}
    server = SERVERS.update(call.db, find_server(call), updated_at=seconds(), **changes)
    return Reply(body={"server": full_view(call, server)})


def delete_server(call: Call) -> Reply:
    """Accepted at any time; a second call changes nothing."""
    server = find_server(call)
    SERVERS.update(call.db, server, task_state="deleting", updated_at=seconds())
    call.cloud.work.server(server.id)
    return Reply(204)


def _set_task(call: Call, server: Server, action: str, states: tuple[str, ...], task: str) -> Reply:
    if server.vm_state not in states:
        raise wrong_state(action, server.id, "vm_state", server.vm_state)
    if server.task_state is not None:
        raise wrong_state(action, server.id, "task_state", server.task_state)
    SERVERS.update(call.db, server, task_state=task, updated_at=seconds())
    call.cloud.work.server(server.id)
    return Reply(202)


def _stop(call: Call, server: Server, _: Json) -> Reply:
    return _set_task(call, server, "stop", ("active", "error"), "powering-off")


def _start(call: Call, server: Server, _: Json) -> Reply:
    return _set_task(call, server, "start", ("stopped",), "powering-on")


def _reboot(call: Call, server: Server, body: Json) -> Reply:
    kind = body.get("type") if isinstance(body, dict) else None
    if not isinstance(kind, str) or kind.upper() not in ("SOFT", "HARD"):
        raise bad_request(
            f"Invalid input for field/attribute type. Value: {kind}. {kind!r} is not one of "
            "['HARD', 'Hard', 'hard', 'SOFT', 'Soft', 'soft']"
        )
    if kind.upper() == "SOFT":
        return _set_task(call, server, "reboot", ("active",), "rebooting")
    return _set_task(call, server, "reboot", ("active", "stopped", "error"), "rebooting_hard")


_ACTIONS: dict[str, Callable[[Call, Server, Json], Reply]] = {
    "os-stop": _stop,
    "os-start": _start,
    "reboot": _reboot,
}


async def act(call: Call) -> Reply:
    server = find_server(call)
    if not isinstance(call.body, dict) or len(call.body) != 1:
        raise bad_request("Malformed request body")
    name, body = next(iter(call.body.items()))
    if name == "os-getConsoleOutput":
        return await _console(call, server, body)
    if name not in _ACTIONS:
        raise bad_request(f"There is no such action: {name}")
    with call.db.transaction():
        return _ACTIONS[name](call, server, body)


async def _console(call: Call, server: Server, body: Json) -> Reply:
    length = (body or {}).get("length")
    if length is not None and not str(length).lstrip("-").isdigit():
        raise bad_request(f"Invalid input for field/attribute length. Value: {length}.")
    if server.vm_state == "building" and server.launched_at is None and not server.host:
        raise conflict(f"Instance {server.id} is not ready")
    try:
        lines = None if length is None or int(length) < 0 else int(length)
        output = await call.cloud.servers.console_output(server.id, lines)
    except ServerNotFoundError as gone:
        if server.vm_state == "building":
            raise conflict(f"Instance {server.id} is not ready") from gone
        raise not_found("Unable to get console") from gone
    return Reply(body={"output": output})


_PATH = "/v2.1/servers/{server_id}"
_ACTION = "os_compute_api:servers"
ROUTES = [
    Route("GET", _PATH, show_server),
    Route("PUT", _PATH, update_server, Access.MEMBER, f"{_ACTION}:update"),
    Route("DELETE", _PATH, delete_server, Access.MEMBER, f"{_ACTION}:delete"),
    Route("POST", _PATH + "/action", act, Access.MEMBER, f"{_ACTION}:action"),
]
