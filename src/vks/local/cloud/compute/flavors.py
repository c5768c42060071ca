"""Flavors."""

from __future__ import annotations

from vks.local.cloud.compute.errors import validate
from vks.local.cloud.compute.pages import page
from vks.local.cloud.compute.tables import FLAVORS, Flavor
from vks.local.cloud.core.ids import new_uuid
from vks.local.cloud.http.call import Access, Call, Json, Reply
from vks.local.cloud.http.errors import bad_request, conflict, not_found
from vks.local.cloud.http.router import Route

_SIZE = {"type": ["integer", "string"]}
_CREATE: Json = {
    "type": "object",
    "required": ["flavor"],
    "additionalProperties": False,
    "properties": {
        "flavor": {
            "type": "object",
            "required": ["name", "ram", "vcpus", "disk"],
            "properties": {
                "name": {"type": "string", "minLength": 1, "maxLength": 255},
                "id": {"type": ["string", "integer", "null"]},
                "ram": _SIZE,
                "vcpus": _SIZE,
                "disk": _SIZE,
                "description": {"type": ["string", "null"]},
            },
        }
    },
}
_SPECS: Json = {
    "type": "object",
    "required": ["extra_specs"],
    "properties": {
        "extra_specs": {"type": "object", "additionalProperties": {"type": ["string", "integer"]}}
    },
}


def flavor_view(call: Call, flavor: Flavor) -> Json:
    view: Json = {
        "id": flavor.id,
        "name": flavor.name,
        "ram": flavor.ram,
        "disk": flavor.disk,
        "vcpus": flavor.vcpus,
        "swap": 0 if call.at_least(75) else "",
        "rxtx_factor": 1.0,
        "OS-FLV-EXT-DATA:ephemeral": 0,
        "OS-FLV-DISABLED:disabled": False,
        "os-flavor-access:is_public": True,
        "links": _links(call, flavor),
    }
    if call.at_least(55):
        view["description"] = flavor.description
    if call.at_least(61):
        view["extra_specs"] = flavor.extra_specs
    return view


def embedded_view(call: Call, flavor: Flavor) -> Json:
    """The flavor in a server: a link, or (2.47) what it was when the server was made."""
    if not call.at_least(47):
        return {"id": flavor.id, "links": _links(call, flavor)[1:]}
    return {
        "original_name": flavor.name,
        "ram": flavor.ram,
        "disk": flavor.disk,
        "vcpus": flavor.vcpus,
        "swap": 0,
        "ephemeral": 0,
        "extra_specs": flavor.extra_specs,
    }


def _links(call: Call, flavor: Flavor) -> list[Json]:
    root = f"{call.base_url}/compute"
    return [
        {"rel": "self", "href": f"{root}/v2.1/flavors/{flavor.id}"},
        {"rel": "bookmark", "href": f"{root}/flavors/{flavor.id}"},
    ]


def find_flavor(call: Call, flavor_id: str) -> Flavor:
    flavor = FLAVORS.get(call.db, id=flavor_id)
    if flavor is None:
        raise not_found(f"Flavor {flavor_id} could not be found.")
    return flavor


def _selected(call: Call) -> list[Flavor]:
    rows = FLAVORS.find(call.db, order="ram, id")
    for parameter, field in (("minRam", "ram"), ("minDisk", "disk")):
        text = call.query.get(parameter)
        if text is not None:
            if not text.isdigit():
                raise bad_request(f"Invalid {parameter} filter [{text}]")
            rows = [row for row in rows if getattr(row, field) >= int(text)]
    return rows


def list_flavors(call: Call) -> Reply:
    rows = _selected(call)
    chosen, links = page(call, "flavors", rows, [row.id for row in rows])
    shown = ("id", "name", "links", "description")
    views = [
        {name: value for name, value in flavor_view(call, row).items() if name in shown}
        for row in chosen
    ]
    return Reply(body={"flavors": views, **links})


def detail_flavors(call: Call) -> Reply:
    rows = _selected(call)
    chosen, links = page(call, "flavors", rows, [row.id for row in rows])
    return Reply(body={"flavors": [flavor_view(call, row) for row in chosen], **links})


def show_flavor(call: Call) -> Reply:
    return Reply(body={"flavor": flavor_view(call, find_flavor(call, call.params["flavor_id"]))})


def create_flavor(call: Call) -> Reply:
    validate(_CREATE, call.body)
    given = call.body["flavor"]
    wanted = str(given.get("id") or "auto")
    flavor = Flavor(
        id=new_uuid() if wanted == "auto" else wanted,
        name=given["name"],
        ram=int(given["ram"]),
        disk=int(given["disk"]),
        vcpus=int(given["vcpus"]),
        description=given.get("description"),
    )
    if FLAVORS.get(call.db, name=flavor.name):
        raise conflict(f"Flavor with name {flavor.name} already exists.")
    if FLAVORS.get(call.db, id=flavor.id):
        raise conflict(f"Flavor with ID {flavor.id} already exists.")
    FLAVORS.insert(call.db, flavor)
    return Reply(body={"flavor": flavor_view(call, flavor)})


def delete_flavor(call: Call) -> Reply:
    FLAVORS.delete(call.db, id=find_flavor(call, call.params["flavor_id"]).id)
    return Reply(202)


def list_specs(call: Call) -> Reply:
    return Reply(body={"extra_specs": find_flavor(call, call.params["flavor_id"]).extra_specs})


def set_specs(call: Call) -> Reply:
    validate(_SPECS, call.body)
    flavor = find_flavor(call, call.params["flavor_id"])
    given = {name: str(value) for name, value in call.body["extra_specs"].items()}
    FLAVORS.update(call.db, flavor, extra_specs={**flavor.extra_specs, **given})
    return Reply(body={"extra_specs": given})


_MANAGE = "os_compute_api:os-flavor-manage"
ROUTES = [
    Route("GET", "/v2.1/flavors", list_flavors),
    Route("GET", "/v2.1/flavors/detail", detail_flavors),
    Route("GET", "/v2.1/flavors/{flavor_id}", show_flavor),
    Route("POST", "/v2.1/flavors", create_flavor, Access.ADMIN, f"{_MANAGE}:create"),
    Route("DELETE", "/v2.1/flavors/{flavor_id}", delete_flavor, Access.ADMIN, f"{_MANAGE}:delete"),
    Route("GET", "/v2.1/flavors/{flavor_id}/os-extra_specs", list_specs),
    Route(
        "POST",
        "/v2.1/flavors/{flavor_id}/os-extra_specs",
        set_specs,
        Access.ADMIN,
        "os_compute_api:os-flavor-extra-specs:create",
    ),
]
