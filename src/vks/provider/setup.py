"""Adds the provider's controllers to a manager."""

from __future__ import annotations

from vks.kube.client import Client
from vks.provider.cloudcontroller.setup import add_cloud_controller
from vks.provider.ipaddressclaim.setup import add_address_claims
from vks.provider.machine.setup import add_machine_annotator
from vks.provider.options import Options
from vks.provider.verdacluster.setup import add_clusters
from vks.provider.verdamachine.setup import add_machines
from vks.provider.verdamachinetemplate.setup import add_templates
from vks.provider.verdaport.setup import add_ports
from vks.provider.verdaportpool.setup import add_port_pools
from vks.provider.wiring import Wiring
from vks.runtime.manager import Manager


def setup(manager: Manager, client: Client, options: Options) -> None:
    """Add everything that the provider does to the manager."""
    wiring = Wiring(manager, client, options)
    add_machines(wiring)
    add_machine_annotator(wiring)
    add_clusters(wiring)
    add_templates(wiring)
    add_port_pools(wiring)
    add_ports(wiring)
    add_address_claims(wiring)
    add_cloud_controller(wiring)
