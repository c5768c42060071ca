"""Our own programs of a region: gateway, cloud, provider, controllers, REST API."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from functools import partial
from pathlib import Path

import vks
from vks.local.platform import files
from vks.local.platform.layout import CONTROLLERS_PORT, FABRIC_CIDR, PROVIDER_PORT, Layout
from vks.local.platform.management import MANIFESTS
from vks.local.platform.processes import HttpProbe, Process, TcpProbe

PUBLISHED = ("api", "cloud", "management")


def processes(layout: Layout, ports: dict[str, int], env: dict[str, str]) -> Iterable[Process]:
    """Restarted when their code or their configuration changed."""
    netns = str(layout.instance.fabric_netns_path)
    yield _gateway(netns, ports, env)
    program = partial(Process, env=env, netns=netns)
    yield program(
        name="cloud",
        argv=_module("vks.local.cloud", f"--instance={layout.instance.name}"),
        inputs=_digest(
            ["local/cloud", "local/fabric", "local/servers", "local/loadbalancer"], [layout.seed]
        ),
        probe=HttpProbe(port=ports["cloud"], path="/identity/v3"),
    )
    yield program(
        name="provider",
        argv=_module(
            "vks.provider",
            f"--kubeconfig={layout.component_kubeconfig('provider')}",
            f"--health-addr=127.0.0.1:{PROVIDER_PORT}",
        ),
        inputs=_digest(["provider", "verda", "runtime", "kube", "resources"], []),
        probe=HttpProbe(port=PROVIDER_PORT, path="/healthz"),
        depends_on=(MANIFESTS,),
    )
    service = _digest(
        ["service", "verda", "runtime", "kube", "resources"],
        [layout.service, layout.service_clouds_yaml],
    )
    yield program(
        name="controllers",
        argv=_module(
            "vks.service.controllers",
            f"--config={layout.service}",
            f"--kubeconfig={layout.component_kubeconfig('controllers')}",
            f"--http-port={CONTROLLERS_PORT}",
        ),
        inputs=service,
        probe=HttpProbe(port=CONTROLLERS_PORT, path="/healthz"),
        depends_on=(MANIFESTS, "cloud"),
    )
    yield program(
        name="api",
        argv=_module(
            "vks.service.api",
            f"--config={layout.service}",
            f"--kubeconfig={layout.component_kubeconfig('api')}",
            f"--port={ports['api']}",
        ),
        inputs=service,
        probe=HttpProbe(port=ports["api"], path="/healthz"),
        depends_on=(MANIFESTS, "cloud"),
    )


def _gateway(netns: str, ports: dict[str, int], env: dict[str, str]) -> Process:
    return Process(
        name="gateway",
        argv=_module(
            "vks.local.platform.gateway",
            f"--netns={netns}",
            *(f"--publish={ports[name]}" for name in PUBLISHED),
            f"--proxy={ports['proxy']}",
            f"--allow={FABRIC_CIDR}",
        ),
        env=env,
        probe=TcpProbe(port=ports["proxy"]),
    )


def _module(name: str, *arguments: str) -> tuple[str, ...]:
    return (sys.executable, "-m", name, *arguments)


def _digest(rooms: list[str], configuration: list[Path]) -> str:
    root = Path(vks.__file__).parent
    sources = [path for room in rooms for path in (root / room).rglob("*.py")]
    return files.digest([*sources, *configuration])
