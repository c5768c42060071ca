"""What a region consists of, for people and programs that want to be pointed at it."""

from __future__ import annotations

from typing import Any

import msgspec

from vks.local.instance import Instance
from vks.local.platform.credentials import recorded_servers
from vks.local.platform.layout import Layout
from vks.local.platform.region import read_state


def describe(instance: Instance) -> dict[str, Any]:
    """Every program, endpoint, credential file and kubeconfig; names of secrets' files only."""
    layout = Layout(instance, recorded_servers(Layout(instance)) or "lxc")
    if not instance.home.exists():
        return {"name": instance.name, "phase": "Absent"}
    state = read_state(instance)
    ports = instance.ports()
    return {
        "name": instance.name,
        "phase": "Down" if state is None else "Ready" if state.settled else "Starting",
        "home": str(instance.home),
        "servers": layout.servers,
        "netns": instance.fabric_netns if layout.has_fabric else None,
        "supervisor": None if state is None else {"pid": state.pid},
        "processes": [] if state is None else msgspec.to_builtins(state.processes),
        "endpoints": {
            "api": f"http://127.0.0.1:{ports['api']}/v1",
            "identity": f"http://127.0.0.1:{ports['cloud']}/identity/v3",
            "management": f"https://127.0.0.1:{ports['management']}",
            **({"proxy": f"http://127.0.0.1:{ports['proxy']}"} if layout.has_fabric else {}),
        },
        "kubeconfig": str(layout.management_kubeconfig),
        "cloudsYaml": str(layout.clouds_yaml),
        "clouds": {"demo": "project test", "admin": "project admin"},
        "logs": str(instance.logs),
    }
