"""The stack's MariaDB: making it, migrating it, and moving a copy to other ports."""

from __future__ import annotations

import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.support.openstack.commands import Commands
from tests.support.openstack.layout import ADMIN_PASSWORD, REGION, Layout
from tests.support.openstack.processes import StackError

SCHEMAS = ("keystone", "placement", "neutron", "nova_api", "nova_cell0", "nova_cell1", "glance")


def initialise(commands: Commands) -> None:
    """An empty data directory."""
    program, env = commands.debian_program("usr/bin/mariadb-install-db")
    _run(
        commands, "mariadb-install", program, f"--defaults-file={commands.layout.etc}/mariadb.cnf",
        f"--basedir={commands.installation.debian}/usr", "--user=root", "--skip-test-db",
        "--auth-root-authentication-method=normal", env=env,
    )  # fmt: skip


def create_schemas(commands: Commands) -> None:
    grants = "create user os@'127.0.0.1' identified by 'os'; grant all on *.* to os@'127.0.0.1';"
    schemas = "".join(f"create database {name} character set utf8mb3;" for name in SCHEMAS)
    query(commands, grants + schemas)


def answers(commands: Commands) -> bool:
    """Whether the server takes queries."""
    if not (commands.layout.run / "mysql.sock").exists():
        return False
    try:
        query(commands, "select 1")
    except StackError:
        return False
    return True


def query(commands: Commands, sql: str) -> list[str]:
    """Run statements as root over the socket; the rows, tab-separated."""
    program, env = commands.debian_program("usr/bin/mariadb")
    done = subprocess.run(
        [program, "--no-defaults", f"--socket={commands.layout.run}/mysql.sock", "--user=root",
         "--batch", "--skip-column-names"],
        input=sql, env=env, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise StackError(f"mariadb: {done.stderr}")
    return done.stdout.splitlines()


def migrate(commands: Commands) -> None:
    """Every service's schema, side by side."""
    etc, cell0 = commands.layout.etc, f"{commands.layout.database_url}/nova_cell0"
    keystone = ("keystone-manage", f"--config-file={etc}/keystone/keystone.conf")
    placement = ("placement-manage", f"--config-file={etc}/placement/placement.conf")
    glance = ("glance-manage", f"--config-file={etc}/glance/glance-api.conf")
    neutron = (
        "neutron-db-manage", f"--config-file={etc}/neutron/neutron.conf",
        f"--config-file={etc}/neutron/ml2_conf.ini",
    )  # fmt: skip
    nova = ("nova-manage", commands.nova_config)
    owner = ("--keystone-user=root", "--keystone-group=root")
    url = commands.layout.endpoint("keystone")
    (commands.layout.state / "keystone").mkdir()
    bootstrap = (
        "bootstrap", f"--bootstrap-password={ADMIN_PASSWORD}", f"--bootstrap-region-id={REGION}",
        *(f"--bootstrap-{kind}-url={url}" for kind in ("public", "internal", "admin")),
    )  # fmt: skip
    migrations: list[list[tuple[str, ...]]] = [
        [(*nova, "api_db", "sync"),
         (*nova, "cell_v2", "map_cell0", "--database_connection", cell0),
         (*nova, "cell_v2", "create_cell", "--name", "cell1"),
         (*nova, "db", "sync")],
        [(*neutron, "upgrade", "heads")],
        [(*keystone, "db_sync"), (*keystone, "fernet_setup", *owner),
         (*keystone, "credential_setup", *owner), (*keystone, *bootstrap)],
        [(*glance, "db_sync")],
        [(*placement, "db", "sync")],
    ]  # fmt: skip

    def in_order(steps: list[tuple[str, ...]]) -> None:
        for program, *arguments in steps:
            _run(commands, f"migrate-{program}", commands.bin(program), *arguments)

    with ThreadPoolExecutor(len(migrations)) as pool:
        list(pool.map(in_order, migrations))


def discover_hosts(commands: Commands) -> None:
    """Map the compute hosts to their cell now instead of at the next periodic task."""
    nova = (commands.bin("nova-manage"), commands.nova_config)
    _run(commands, "discover", *nova, "cell_v2", "discover_hosts")


def relocate(commands: Commands) -> None:
    """Write this stack's ports and paths over those of the stack that was copied."""
    layout = commands.layout
    statements = [
        f"update keystone.endpoint e join keystone.service s on e.service_id = s.id "
        f"set e.url = '{layout.endpoint(service)}' where s.type = '{service_type}';"
        for service, service_type in SERVICE_TYPES.items()
    ]
    statements += [
        f"update nova_api.cell_mappings set database_connection = "
        f"'{layout.database_url}/nova_{cell}' where name = '{cell}';"
        for cell in ("cell0", "cell1")
    ]
    statements += [
        f"update nova_api.cell_mappings set transport_url = '{layout.transport_url}' "
        "where name = 'cell1';",
        f"update glance.image_locations set value = concat('file://{images(layout)}/', image_id);",
    ]
    query(commands, "".join(statements))


#: Our name of a service -> its type in the catalog.
SERVICE_TYPES = {
    "keystone": "identity",
    "placement": "placement",
    "neutron": "network",
    "nova": "compute",
    "glance": "image",
}


def images(layout: Layout) -> Path:
    return layout.state / "glance" / "images"


def _run(
    commands: Commands, log_name: str, *argv: str | Path, env: dict[str, str] | None = None
) -> None:
    """Run a program to its end with its output in the stack's log directory."""
    log = commands.layout.log / f"{log_name}.out"
    with log.open("ab") as out:
        done = subprocess.run(
            ["nice", *map(str, argv)], stdin=subprocess.DEVNULL, stdout=out, stderr=out,
            cwd=commands.layout.run, check=False,
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", **(env or {})},
        )  # fmt: skip
    if done.returncode:
        tail = "\n".join(log.read_text(errors="replace").splitlines()[-20:])
        raise StackError(f"{' '.join(map(str, argv))} ended with {done.returncode}:\n{tail}")
