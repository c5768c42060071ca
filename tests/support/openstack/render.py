"""Fills the templates: what each service reads at its start."""

from __future__ import annotations

from string import Template

from tests.support.openstack.install import HERE, Installation
from tests.support.openstack.layout import REGION, SERVICE_PASSWORD, ZONES, Layout

#: Service -> the WSGI module that gunicorn loads.
WSGI_MODULES: dict[str, str] = {
    "keystone": "keystone.wsgi.api",
    "placement": "placement.wsgi.api",
    "neutron": "neutron.wsgi.api",
    "glance": "glance.wsgi.api",
    "nova": "nova.wsgi.osapi_compute",
}

_TEMPLATES = HERE / "templates"
#: Template -> where it goes below `etc`.
_FILES = {
    "keystone.conf": "keystone/keystone.conf",
    "placement.conf": "placement/placement.conf",
    "neutron.conf": "neutron/neutron.conf",
    "ml2_conf.ini": "neutron/ml2_conf.ini",
    "glance-api.conf": "glance/glance-api.conf",
    "nova.conf": "nova/nova.conf",
    "mariadb.cnf": "mariadb.cnf",
    "rabbitmq.conf": "rabbitmq.conf",
}


def compute_hosts() -> tuple[str, ...]:
    """One nova-compute per zone: a host is in one availability zone only."""
    return tuple(f"{zone}-hv1" for zone in ZONES)


def render_config(layout: Layout, installation: Installation) -> None:
    """Write `etc/`."""
    values = {
        "state": str(layout.state), "log": str(layout.log), "run": str(layout.run),
        "venv": str(installation.venv), "debian": str(installation.debian),
        "database": layout.database_url, "transport_url": layout.transport_url,
        "keystone_url": layout.endpoint("keystone"), "glance_url": layout.endpoint("glance"),
        "mariadb_port": str(layout.ports["mariadb"]),
        "region": REGION, "service_password": SERVICE_PASSWORD,
    }  # fmt: skip
    values["auth"] = _fill("_auth.conf", values)
    for template, target in _FILES.items():
        _write(layout, target, _fill(template, values))
    for host in compute_hosts():
        _write(layout, f"nova/{host}.conf", _fill("nova-compute.conf", {**values, "host": host}))
    for service, module in WSGI_MODULES.items():
        own = {"service": service, "module": module, "port": str(layout.ports[service])}
        _write(layout, f"{service}/gunicorn.conf.py", _fill("gunicorn.conf.py", {**values, **own}))
    for service in ("nova", "glance"):  # these look for it beside their configuration
        for paste in (installation.venv / "etc" / service).glob("*paste.ini"):
            _write(layout, f"{service}/{paste.name}", paste.read_text())


def _fill(template: str, values: dict[str, str]) -> str:
    return Template((_TEMPLATES / template).read_text()).substitute(values)


def _write(layout: Layout, target: str, text: str) -> None:
    path = layout.etc / target
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
