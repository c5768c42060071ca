"""Neutron's words for what went wrong: an exception's name, and its message."""

from __future__ import annotations

from vks.local.cloud.http.call import Json
from vks.local.cloud.http.errors import ApiError, bad_request, conflict, forbidden, not_found


def render(error: ApiError) -> Json:
    if error.status == 401:  # comes from keystonemiddleware, in front of Neutron
        return {"error": {"code": 401, "title": error.title, "message": error.message}}
    kind = error.kind or f"HTTP{error.title.title().replace(' ', '')}"
    return {"NeutronError": {"type": kind, "message": error.message, "detail": ""}}


def forbid(action: str) -> ApiError:
    """`action` may be several rules, joined by ` and rule:`, which Neutron then brackets."""
    rule = f"(rule:{action})" if " and " in action else f"rule:{action}"
    return forbidden(f"{rule} is disallowed by policy", kind="PolicyNotAuthorized")


def malformed(message: str) -> ApiError:
    return bad_request(message, kind="HTTPBadRequest")


def invalid_input(message: str, kind: str = "InvalidInput") -> ApiError:
    return bad_request(f"Invalid input for operation: {message}.", kind=kind)


_NOT_FOUND: dict[str, tuple[str, str]] = {
    "network": ("NetworkNotFound", "Network {} could not be found."),
    "subnet": ("SubnetNotFound", "Subnet {} could not be found."),
    "subnetpool": ("SubnetPoolNotFound", "Subnet pool {} could not be found."),
    "port": ("PortNotFound", "Port {} could not be found."),
    "router": ("RouterNotFound", "Router {} could not be found"),
    "security_group": ("SecurityGroupNotFound", "Security group {} does not exist"),
    "security_group_rule": ("SecurityGroupRuleNotFound", "Security group rule {} does not exist"),
}


def missing(resource: str, identifier: str) -> ApiError:
    kind, message = _NOT_FOUND[resource]
    return not_found(message.format(identifier), kind=kind)


def in_use(kind: str, message: str) -> ApiError:
    return conflict(message, kind=kind)


def over_quota(resource: str) -> ApiError:
    return conflict(f"Quota exceeded for resources: ['{resource}'].", kind="OverQuota")
