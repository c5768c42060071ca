"""The network and ports of the tests that use the real kernel."""

from vks.local.fabric import Port

NETWORK = "net-1"


def port(number: int, network: str = NETWORK, third: int = 1) -> Port:
    return Port(
        f"port-{network}-{number}",
        network,
        f"fa:16:3e:00:{third:02x}:{number:02x}",
        f"10.60.{third}.{10 + number}",
        24,
        f"10.60.{third}.1",
    )
