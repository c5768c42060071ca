"""A workload cluster as its user sees it: kubectl, and probes of its API."""

from __future__ import annotations

import base64
import http.client
import json
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import yaml
from tests.support.clouds import Json
from tests.support.counts import RETRY_AFTER
from tests.support.localregion import LocalRegion, kubectl

_TIMEOUT = 5.0
_PERIOD = 0.1


class Workload:
    """One cluster, with a kubeconfig of its own in `directory`."""

    def __init__(self, region: LocalRegion, name: str, directory: Path) -> None:
        self.name = name
        self.region = region
        self.kubeconfig = directory / f"{name}.kubeconfig"
        region.vks("kubeconfig", "save", name, "--file", str(self.kubeconfig))

    def kubectl(self, *arguments: str, check: bool = True) -> str:
        return kubectl(self.region.programs, self.kubeconfig, *arguments, check=check)

    def objects(self, *arguments: str) -> list[Json]:
        items: list[Json] = json.loads(self.kubectl("get", *arguments, "--output=json"))["items"]
        return items

    def nodes(self) -> list[Json]:
        return self.objects("nodes")

    @property
    def access(self) -> Access:
        return Access(self.kubeconfig)


def is_ready(node: Json) -> bool:
    return any(
        condition["type"] == "Ready" and condition["status"] == "True"
        for condition in node["status"]["conditions"]
    )


class Access:
    """Asks the API server, each time over a new connection through the kubeconfig's proxy."""

    def __init__(self, kubeconfig: Path) -> None:
        config = yaml.safe_load(kubeconfig.read_text())
        cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
        server, proxy = urlsplit(cluster["server"]), urlsplit(cluster["proxy-url"])
        self.server = (str(server.hostname), int(server.port or 443))
        self._proxy = (str(proxy.hostname), int(proxy.port or 80))
        authority = base64.b64decode(cluster["certificate-authority-data"]).decode()
        self._tls = ssl.create_default_context(cadata=authority)
        pair = kubeconfig.with_suffix(".pem")
        pair.touch(mode=0o600)
        pair.write_bytes(
            base64.b64decode(user["client-certificate-data"])
            + base64.b64decode(user["client-key-data"])
        )
        self._tls.load_cert_chain(pair)

    def get(self, path: str, host: str | None = None) -> int:
        """The status of the answer, from `host` instead of the VIP if one is given. Raises
        OSError or HTTPException without one."""
        connection = http.client.HTTPSConnection(*self._proxy, timeout=_TIMEOUT, context=self._tls)
        try:
            connection.set_tunnel(host or self.server[0], self.server[1])
            connection.request("GET", path)
            answer = connection.getresponse()
            answer.read()
            return answer.status
        finally:
            connection.close()

    def answers(self, path: str, host: str | None = None) -> bool:
        try:
            return self.get(path, host) == 200
        except (OSError, http.client.HTTPException):
            return False


class Probe:
    """A client that reads from the cluster's store ten times a second, and tries once more, a
    moment later, when it gets no answer. What has been killed answers nobody, but for as long as
    the kernel takes to clear its memory away it accepts connections."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self.asked = 0
        self.failed_once: list[str] = []
        self.failed_twice: list[str] = []
        self.slowest = 0.0

    @contextmanager
    def running(self) -> Iterator[None]:
        stop = threading.Event()
        thread = threading.Thread(target=self._run, args=(stop,), name="probe")
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()

    def _run(self, stop: threading.Event) -> None:
        began = time.monotonic()
        while not stop.wait(_PERIOD):
            asked = time.monotonic()
            self.asked += 1
            for failed in (self.failed_once, self.failed_twice):
                if not (why := self._read()):
                    break
                failed.append(f"{asked - began:.1f} s: {why}")
                time.sleep(RETRY_AFTER)
            self.slowest = max(self.slowest, time.monotonic() - asked)

    def _read(self) -> str:
        """Why there is no answer; empty when there is one."""
        try:
            status = self._access.get("/api/v1/namespaces/kube-system")
        except (OSError, http.client.HTTPException) as error:
            return repr(error)
        return "" if status == 200 else f"status {status}"

    def __str__(self) -> str:
        return (
            f"{self.asked} requests, {len(self.failed_once)} failed at first, "
            f"{len(self.failed_twice)} also when repeated; slowest {self.slowest:.1f} s"
        )
