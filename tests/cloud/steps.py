"""What most tests need before they can look at what they are about."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from typing import Any

import requests
from tests.support.clouds import Api, Cloud, Json, eventually, ok, unique


@dataclass
class Steps:
    """Steps as one caller. Every method asserts that the call succeeded."""

    cloud: Cloud
    api: Api
    _ids: dict[str, str] = field(default_factory=dict)

    def network(self, cidr: str | None = "192.0.2.0/24") -> tuple[Json, Json]:
        """A network with one subnet (from the region's default pool when `cidr` is None)."""
        network = ok(
            self.api.network.post("/v2.0/networks", {"network": {"name": unique("net")}}), 201
        )
        return network["network"], self.subnet(network["network"]["id"], cidr)

    def subnet(self, network_id: str, cidr: str | None, **more: Any) -> Json:
        source = {"use_default_subnetpool": True} if cidr is None else {"cidr": cidr}
        body = {"network_id": network_id, "ip_version": 4, **source, **more}
        created = ok(self.api.network.post("/v2.0/subnets", {"subnet": body}), 201)
        subnet: Json = created["subnet"]
        return subnet

    def port(self, network_id: str, **more: Any) -> Json:
        body = {"port": {"network_id": network_id, **more}}
        port: Json = ok(self.api.network.post("/v2.0/ports", body), 201)["port"]
        return port

    def get_port(self, port_id: str) -> Json:
        port: Json = ok(self.api.network.get(f"/v2.0/ports/{port_id}"))["port"]
        return port

    def flavor_id(self) -> str:
        if "flavor" not in self._ids:
            flavors = ok(self.api.compute.get("/flavors"))["flavors"]
            by_name = {flavor["name"]: flavor["id"] for flavor in flavors}
            self._ids["flavor"] = by_name[self.cloud.flavors[0]]
        return self._ids["flavor"]

    def image_id(self) -> str:
        if "image" not in self._ids:
            images = ok(self.api.image.get(f"/v2/images?name={self.cloud.image}"))["images"]
            self._ids["image"] = images[0]["id"]
        return self._ids["image"]

    def server_body(self, networks: Any, **more: Any) -> Json:
        hints = more.pop("hints", None)
        server = {
            "name": unique("server"),
            "flavorRef": self.flavor_id(),
            "imageRef": self.image_id(),
            "networks": networks,
            **more,
        }
        return {"server": server} | ({"os:scheduler_hints": hints} if hints else {})

    def ask_server(self, networks: Any, version: str = "2.96", **more: Any) -> requests.Response:
        """The bare answer to the request for a server."""
        body = self.server_body(networks, **more)
        return self.api.compute.at(version).post("/servers", body)

    def server(self, networks: Any, **more: Any) -> Json:
        """An ACTIVE server."""
        server_id = ok(self.ask_server(networks, **more), 202)["server"]["id"]
        seen = self.settled(server_id)
        assert seen["status"] == "ACTIVE", seen.get("fault")
        return seen

    def settled(self, server_id: str) -> Json:
        """The server once it has left BUILD."""
        return eventually(lambda: self.show(server_id), lambda seen: seen["status"] != "BUILD")

    def show(self, server_id: str) -> Json:
        found = ok(self.api.compute.at("2.96").get(f"/servers/{server_id}"))
        server: Json = found["server"]
        return server

    def delete_server(self, server_id: str) -> None:
        """Return when the server is gone."""
        ok(self.api.compute.delete(f"/servers/{server_id}"), 204)
        eventually(
            lambda: self.api.compute.get(f"/servers/{server_id}").status_code,
            lambda status: status == 404,
        )


def encoded(text: str) -> str:
    """User data as Nova takes it."""
    return base64.b64encode(text.encode()).decode()
