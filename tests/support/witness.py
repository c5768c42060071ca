"""Watches the cloud from outside while it is disturbed, and remembers whatever existed twice."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Iterator
from types import TracebackType
from typing import Self

from keystoneauth1 import exceptions as ksa
from tests.support.clouds import Json, Service, ok
from tests.support.localregion import LocalRegion

_OWNER = "vks.owner="
_PERIOD = 0.4


class Witness:
    """A context manager; `testify` at its end.

    What is to be unique has a name here ("server of OWNER") and may have one id, ever: an owner
    that got a second server after it lost the first one has been served twice too.
    """

    def __init__(self, region: LocalRegion) -> None:
        session = region.admin.session
        self._compute = Service(session, "compute").at("2.79")
        self._network = Service(session, "network")
        self._lbaas = Service(session, "lbaas")
        self._ids: dict[str, set[str]] = defaultdict(set)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="witness")
        self._broken: Exception | None = None
        self.looks = 0

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop.set()
        self._thread.join()

    def testify(self, *, looks: int) -> None:
        """Nothing existed twice, and that often at least it was looked at everything."""
        assert self._broken is None, self._broken
        assert self.looks >= looks
        for server in self._servers("&deleted=true"):  # Nova remembers what came and went unseen
            self._note_server(server)
        twice = {name: ids for name, ids in self._ids.items() if len(ids) > 1}
        assert twice == {}

    def _run(self) -> None:
        while not self._stop.wait(_PERIOD):
            try:
                for name, identifier in self._look():
                    self._ids[name].add(identifier)
                self.looks += 1
            except (ksa.ClientException, AssertionError):
                continue  # the cloud is down or disturbed: only a whole look counts
            except Exception as error:
                self._broken = error
                return

    def _look(self) -> Iterator[tuple[str, str]]:
        for server in self._servers():
            self._note_server(server)
        groups = ok(self._compute.get("/os-server-groups?all_projects=1"))["server_groups"]
        yield from ((f"server group {group['name']}", group["id"]) for group in groups)
        for kind in ("port", "network", "subnet", "router", "security_group"):
            path = f"/v2.0/{kind.replace('_', '-')}s"
            for one in ok(self._network.get(path))[f"{kind}s"]:
                if one["description"].startswith(_OWNER):
                    yield f"{kind} of {one['description']}", one["id"]
        yield from self._load_balancers()

    def _load_balancers(self) -> Iterator[tuple[str, str]]:
        for balancer in ok(self._lbaas.get("/loadbalancers?all_projects=1"))["loadbalancers"]:
            (owner,) = (tag for tag in balancer["tags"] if tag.startswith(_OWNER))
            yield f"load balancer of {owner}", balancer["id"]
            where = f"?loadbalancer_id={balancer['id']}"
            for one in ok(self._lbaas.get(f"/listeners{where}"))["listeners"]:
                yield f"listener of {owner} on port {one['port']}", one["id"]
            for pool in ok(self._lbaas.get(f"/pools{where}"))["pools"]:
                yield f"pool {pool['name']} of {owner}", pool["id"]
                answer = self._lbaas.get(f"/pools/{pool['id']}/members")
                if answer.status_code != 404:  # deleted meanwhile
                    for member in ok(answer)["members"]:
                        yield f"member {member['name']} of {owner}", member["id"]

    def _servers(self, more: str = "") -> list[Json]:
        found: list[Json] = ok(self._compute.get(f"/servers/detail?all_tenants=1{more}"))["servers"]
        return found

    def _note_server(self, server: Json) -> None:
        self._ids[f"server of {server['metadata']['vks.owner']}"].add(server["id"])
        self._ids[f"server named {server['name']}"].add(server["id"])
