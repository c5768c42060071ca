"""Upstream's in-memory provider on the same management plane."""

from __future__ import annotations

import asyncio
import os
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import aiohttp
import yaml

from benchmarks.scale.plane import Plane
from vks.kube.client import Client
from vks.local.assets.hollow import PROJECT, ensure_in_memory_provider
from vks.local.assets.toolchain import ensure_go, required_go
from vks.local.assets.versions import upstream_directory
from vks.local.platform.logs import tail
from vks.local.platform.manifests import install
from vks.local.progress import Progress

_MODULE = "sigs.k8s.io/cluster-api/test"
#: What `config/crd/kustomization.yaml` of the module adds.
_LABELS = {"cluster.x-k8s.io/v1beta1": "v1beta1", "cluster.x-k8s.io/v1beta2": "v1beta2"}
_READY_SECONDS = 60.0


class PeerError(RuntimeError):
    """Upstream's provider cannot run here."""


@dataclass(frozen=True)
class Peer:
    pid: int
    metrics: str


class Program(NamedTuple):
    """The provider, and the definitions of its kinds."""

    path: Path
    definitions: list[dict[str, Any]]


def built(cache: Path, progress: Progress) -> Program:
    """Raises CommandError or ToolchainError."""
    program = ensure_in_memory_provider(cache, progress)
    project = upstream_directory() / PROJECT
    texts = [(project / "go.mod").read_text()]
    go = ensure_go(cache, required_go(texts), progress, cache / "logs" / "assets.log")
    module = Path(go.output("list", "-m", "-f", "{{.Dir}}", _MODULE, cwd=project).strip())
    bases = module / "infrastructure/docker/config/crd/bases"
    definitions = [yaml.safe_load(path.read_text()) for path in sorted(bases.glob("*.yaml"))]
    for definition in definitions:
        definition["metadata"]["labels"] = _LABELS
    return Program(program, definitions)


@asynccontextmanager
async def running_peer(plane: Plane, client: Client, program: Program) -> AsyncIterator[Peer]:
    """Runs until the block ends, with the flags that upstream's managers have by default."""
    await install(client, program.definitions)
    ports = plane.instance.allocate("peer-ports.json", {"webhook": 0, "health": 0, "metrics": 0})
    log = (plane.instance.logs / "capi-in-memory.log").open("ab")
    process = subprocess.Popen(  # noqa: ASYNC220 - does not wait for it
        [
            program.path,
            f"--kubeconfig={plane.layout.management_kubeconfig}",
            f"--webhook-port={ports['webhook']}",
            f"--webhook-cert-dir={plane.layout.pki / 'webhooks'}",
            f"--health-addr=127.0.0.1:{ports['health']}",
            f"--diagnostics-address=127.0.0.1:{ports['metrics']}",
            "--insecure-diagnostics",
        ],
        env={**os.environ, "POD_IP": "127.0.0.1"},
        stdout=log,
        stderr=log,
    )
    try:
        await _healthy(f"http://127.0.0.1:{ports['health']}/healthz", process)
        yield Peer(process.pid, f"http://127.0.0.1:{ports['metrics']}/metrics")
    finally:
        process.terminate()
        process.wait()
        log.close()
        print(tail(plane.instance.logs, "capi-in-memory", 3), end="")


async def _healthy(url: str, process: subprocess.Popen[bytes]) -> None:
    async with asyncio.timeout(_READY_SECONDS), aiohttp.ClientSession() as session:
        while True:
            if process.poll() is not None:
                raise PeerError(f"the peer ended with {process.returncode}, see its log")
            with suppress(aiohttp.ClientConnectionError):
                async with session.get(url) as answer:
                    if answer.status == 200:
                        return
            await asyncio.sleep(0.2)
