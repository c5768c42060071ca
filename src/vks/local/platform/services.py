"""Our own programs of a region: gateway, cloud, provisioners, controllers, REST API."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from functools import partial
from pathlib import Path

import vks
from vks.local.fabric import SERVICES_ADDRESS
from vks.local.platform import files
from vks.local.platform.layout import FABRIC_CIDR, LEGACY_HUB_PORT, Layout
from vks.local.platform.management import MANIFESTS
from vks.local.platform.processes import HttpProbe, Process, TcpProbe, UnixProbe
from vks.local.servers.hollow.client import SOCKET

PUBLISHED = ("api", "cloud", "management")


def processes(
    layout: Layout,
    ports: dict[str, int],
    env: dict[str, str],
    behind: Process | None = None,
    *,
    legacy: bool = False,
) -> Iterable[Process]:
    """Restarted when their code or their configuration changed.

    `behind` is what stands behind the cloud where servers are hollow; `legacy`, whether there is
    the legacy provisioner, and what migrates its clusters.
    """
    inner = layout.inner_ports()
    provider_port, controllers_port = inner["provider"], inner["controllers"]
    if layout.has_fabric:
        yield _gateway(layout.netns, ports, env)
    if behind is not None:
        yield behind
    program = partial(Process, env=env, netns=layout.netns)
    yield program(
        name="cloud",
        argv=_module("vks.local.cloud", f"--instance={layout.instance.name}"),
        inputs=_digest(
            ["local/cloud", "local/fabric", "local/servers", "local/loadbalancer"], [layout.seed]
        ),
        probe=HttpProbe(port=ports["cloud"], path="/identity/v3"),
        depends_on=() if behind is None else (behind.name,),
    )
    yield program(
        name="provider",
        argv=_module(
            "vks.provider",
            f"--kubeconfig={layout.component_kubeconfig('provider')}",
            f"--health-addr=127.0.0.1:{provider_port}",
        ),
        inputs=_digest(["provider", "verda", "runtime", "kube", "resources"], []),
        probe=HttpProbe(port=provider_port, path="/healthz"),
        depends_on=(MANIFESTS,),
    )
    if legacy:
        yield program(
            name="legacy",
            argv=_legacy(layout, inner["legacy"]),
            inputs=_digest(["legacy", "verda", "runtime", "kube", "resources"], []),
            probe=HttpProbe(port=inner["legacy"], path="/healthz"),
            depends_on=(MANIFESTS,),
        )
        yield program(
            name="migration",
            argv=_module(
                "vks.migration",
                f"--kubeconfig={layout.component_kubeconfig('migration')}",
                f"--http-port={inner['migration']}",
            ),
            inputs=_digest(["migration", "verda", "runtime", "kube", "resources"], []),
            probe=HttpProbe(port=inner["migration"], path="/healthz"),
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
            f"--http-port={controllers_port}",
        ),
        inputs=service,
        probe=HttpProbe(port=controllers_port, path="/healthz"),
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


def hollow(layout: Layout, program: Path, delay: float, env: dict[str, str]) -> Process:
    """What hollow servers are made of. `delay` in seconds is how long each step of their start
    takes, and up to a fifth more."""
    steps = ("server", "node", "etcd", "apiserver")
    return Process(
        name="hollow",
        argv=(
            str(program),
            f"--home={layout.instance.run}",
            *(f"--{step}-delay={delay:g}s" for step in steps),
            "--jitter=0.2",
            *(("--workers",) if layout.hollow_workers else ()),
        ),
        env=env,
        netns=layout.netns,
        probe=UnixProbe(path=str(layout.instance.run / SOCKET)),
    )


def _legacy(layout: Layout, port: int) -> tuple[str, ...]:
    return _module(
        "vks.legacy.server",
        f"--kubeconfig={layout.component_kubeconfig('legacy')}",
        f"--health-addr=127.0.0.1:{port}",
        f"--hub-listen={SERVICES_ADDRESS}:{LEGACY_HUB_PORT}",
        f"--hub-url=wss://{SERVICES_ADDRESS}:{LEGACY_HUB_PORT}",
        f"--hub-cert={layout.pki / 'legacy-hub.crt'}",
        f"--hub-key={layout.pki / 'legacy-hub.key'}",
        f"--hub-ca={layout.pki / 'ca.crt'}",
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
