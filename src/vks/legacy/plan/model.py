"""The plan of a node, as the hub sends it and the agent carries it out."""

from __future__ import annotations

import hashlib

import msgspec


class Program(msgspec.Struct, frozen=True, kw_only=True):
    """`target` on the node is `source` out of a container image that the node has."""

    image: str
    source: str
    target: str


class File(msgspec.Struct, frozen=True, kw_only=True):
    path: str
    content: str
    mode: int = 0o644


class Service(msgspec.Struct, frozen=True, kw_only=True):
    """A systemd service; it is restarted when its unit or one of `files` (paths) changes."""

    name: str
    unit: str
    files: tuple[str, ...] = ()


class Endpoint(msgspec.Struct, frozen=True, kw_only=True):
    """Where something on the node is asked by HTTP, with paths of PEM files for TLS."""

    url: str
    ca: str = ""
    cert: str = ""
    key: str = ""


class Probe(Endpoint, frozen=True, kw_only=True):
    """Passes when the answer is 200."""

    name: str


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that the provisioner wants of a node. `node` asks the API server for the Node,
    `endpoints` are what the hub may call through the agent."""

    programs: tuple[Program, ...] = ()
    files: tuple[File, ...] = ()
    services: tuple[Service, ...] = ()
    probes: tuple[Probe, ...] = ()
    endpoints: dict[str, Endpoint] = {}
    node: Endpoint | None = None

    @property
    def digest(self) -> str:
        """The same plan, the same digest."""
        encoded = msgspec.json.encode(self, order="deterministic")
        return hashlib.sha256(encoded).hexdigest()[:16]
