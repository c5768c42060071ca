"""`/admin`: faults, rate limit and call counters; for tests and the operator only.

    GET    /admin/faults                 {"faults": […], "rate_limit": 0}
    POST   /admin/faults                 {"fault": {action, service?, method?, path?, …}} -> 201
    DELETE /admin/faults[/{id}]          one, or all of them
    PUT    /admin/rate-limit             {"rate": REQUESTS PER SECOND, 0 = none}
    GET    /admin/calls                  {"calls": {KIND: n}, "statuses": {KIND: {status: n}}}
    DELETE /admin/calls                  start counting from zero

A fault's fields are those of `rules.FaultRule`; `count` stands for `remaining`. The operator's
token (header `X-Operator-Token`) is needed when the seed names one.
"""

from __future__ import annotations

import hmac
from typing import Any

import msgspec

from vks.local.cloud.core.ids import new_hex
from vks.local.cloud.faults.rules import FaultRule
from vks.local.cloud.http.call import Access, Call, Json, Reply
from vks.local.cloud.http.errors import ApiError, bad_request, forbidden, not_found, unauthorized
from vks.local.cloud.http.router import Route, Service
from vks.local.cloud.http.schema import Invalid, check

_FAULT = {
    "type": "object",
    "required": ["fault"],
    "properties": {
        "fault": {
            "type": "object",
            "required": ["action"],
            "additionalProperties": False,
            "properties": {
                "action": {"enum": ["error", "delay", "drop_before", "drop_after", "hold", "full"]},
                "service": {"type": "string"},
                "method": {"type": "string"},
                "path": {"type": "string", "format": "regex"},
                "status": {"type": "integer", "minimum": 400, "maximum": 599},
                "retry_after": {"type": "integer", "minimum": 0},
                "delay": {"type": "number", "minimum": 0},
                "probability": {"type": "number", "minimum": 0, "maximum": 1},
                "count": {"type": "integer", "minimum": 1},
            },
        }
    },
}


def _operator(call: Call) -> None:
    expected = call.cloud.settings.operator_token
    given = call.headers.get("X-Operator-Token", "")
    if expected and not hmac.compare_digest(expected.encode(), given.encode()):
        raise unauthorized()


def _validate(schema: Json, body: Any) -> None:
    try:
        check(schema, body)
    except Invalid as wrong:
        raise bad_request(f"{wrong.path}: {wrong.message}") from wrong


def _view(rule: FaultRule) -> Json:
    view: Json = msgspec.to_builtins(rule)
    return view


def list_faults(call: Call) -> Reply:
    _operator(call)
    rules = [_view(rule) for rule in call.cloud.faults.all()]
    return Reply(body={"faults": rules, "rate_limit": call.cloud.rate_limit.rate})


def create_fault(call: Call) -> Reply:
    _operator(call)
    _validate(_FAULT, call.body)
    wanted = dict(call.body["fault"])
    wanted["remaining"] = wanted.pop("count", None)
    rule = FaultRule(id=new_hex(), **wanted)
    call.cloud.faults.add(rule)
    return Reply(201, {"fault": _view(rule)})


def delete_faults(call: Call) -> Reply:
    _operator(call)
    rule_id = call.params.get("fault_id")
    if not call.cloud.faults.remove(rule_id) and rule_id:
        raise not_found(f"No fault {rule_id}.")
    call.cloud.work.resume()
    return Reply(204)


def set_rate_limit(call: Call) -> Reply:
    _operator(call)
    schema = {
        "type": "object",
        "required": ["rate"],
        "properties": {"rate": {"type": "number", "minimum": 0}},
    }
    _validate(schema, call.body)
    call.cloud.rate_limit.set(float(call.body["rate"]))
    return Reply(body={"rate": call.cloud.rate_limit.rate})


def show_calls(call: Call) -> Reply:
    _operator(call)
    counter = call.cloud.calls
    return Reply(body={"calls": counter.totals(), "statuses": counter.statuses()})


def clear_calls(call: Call) -> Reply:
    _operator(call)
    call.cloud.calls.clear()
    return Reply(204)


def _render(error: ApiError) -> Json:
    return {"error": {"code": error.status, "title": error.title, "message": error.message}}


ADMIN = Service(
    name="admin",
    prefix="/admin",
    routes=[
        Route("GET", "/faults", list_faults, Access.PUBLIC),
        Route("POST", "/faults", create_fault, Access.PUBLIC),
        Route("DELETE", "/faults", delete_faults, Access.PUBLIC),
        Route("DELETE", "/faults/{fault_id}", delete_faults, Access.PUBLIC),
        Route("PUT", "/rate-limit", set_rate_limit, Access.PUBLIC),
        Route("GET", "/calls", show_calls, Access.PUBLIC),
        Route("DELETE", "/calls", clear_calls, Access.PUBLIC),
    ],
    render=_render,
    forbid=forbidden,
)
