"""What the running cloud knows about its region; comes from the seed."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Settings:
    """Fixed while the process lives."""

    region: str
    zones: dict[str, tuple[str, ...]]  # availability zone -> its hosts
    url: str  # scheme, host and port that the catalog names, no trailing slash
    vip_range: str = "10.60.0.0/24"
    service_endpoints: dict[str, str] = field(default_factory=dict)  # type -> URL of others
    operator_token: str = ""
    token_lifetime: float = 3600.0  # seconds
    name_servers: tuple[str, ...] = ()

    @property
    def hosts(self) -> dict[str, str]:
        """Host -> zone."""
        return {host: zone for zone, hosts in self.zones.items() for host in hosts}
