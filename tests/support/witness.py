"""Watches the cloud from outside while it is disturbed, and remembers whatever existed twice."""

from __future__ import annotations

import threading
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from functools import partial
from types import TracebackType
from typing import Self

from keystoneauth1 import exceptions as ksa
from tests.support.clouds import Json, Service, ok
from tests.support.localregion import LocalRegion

_OWNER = "vks.owner="
_PERIOD = 0.4
_NETWORKING = ("port", "network", "subnet", "router", "security_group")


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
        self._kinds: dict[str, Callable[[], Iterator[tuple[str, str]]]] = {
            "server": self._all_servers,
            "server group": self._server_groups,
            "load balancer": self._load_balancers,
            **{kind: partial(self._networking, kind) for kind in _NETWORKING},
        }
        self._looks: Counter[str] = Counter()

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
        """Nothing existed twice, and that often at least every kind was looked at."""
        assert self._broken is None, self._broken
        assert min(self._looks[kind] for kind in self._kinds) >= looks, self._looks
        for server in self._servers("&deleted=true"):  # Nova remembers what came and went unseen
            for name, identifier in self._names_of(server):
                self._ids[name].add(identifier)
        twice = {name: ids for name, ids in self._ids.items() if len(ids) > 1}
        assert twice == {}

    def _run(self) -> None:
        while not self._stop.wait(_PERIOD):
            for kind, look in self._kinds.items():
                try:
                    for name, identifier in look():
                        self._ids[name].add(identifier)
                    self._looks[kind] += 1
                except (ksa.ClientException, AssertionError):
                    continue  # the cloud is down or disturbed: only a whole look counts
                except Exception as error:
                    self._broken = error
                    return

    def _all_servers(self) -> Iterator[tuple[str, str]]:
        for server in self._servers():
            yield from self._names_of(server)

    def _server_groups(self) -> Iterator[tuple[str, str]]:
        groups = ok(self._compute.get("/os-server-groups?all_projects=1"))["server_groups"]
        yield from ((f"server group {group['name']}", group["id"]) for group in groups)

    def _networking(self, kind: str) -> Iterator[tuple[str, str]]:
        for one in ok(self._network.get(f"/v2.0/{kind.replace('_', '-')}s"))[f"{kind}s"]:
            if one["description"].startswith(_OWNER):
                yield f"{kind} of {one['description']}", one["id"]

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

    @staticmethod
    def _names_of(server: Json) -> Iterator[tuple[str, str]]:
        owner = server["metadata"].get("vks.owner")
        if owner is not None:  # others are none of a cluster's
            yield f"server of {owner}", server["id"]
            yield f"server named {server['name']}", server["id"]
