"""How each part of the stack is started: argument vectors and environments."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tests.support.openstack.install import Installation
from tests.support.openstack.layout import Layout
from tests.support.openstack.processes import ProcessTable
from tests.support.openstack.render import WSGI_MODULES, compute_hosts


@dataclass(frozen=True)
class Commands:
    """Starts parts of one stack."""

    layout: Layout
    installation: Installation
    processes: ProcessTable

    def bin(self, program: str) -> Path:
        return self.installation.venv / "bin" / program

    @property
    def nova_config(self) -> str:
        return f"--config-file={self.layout.etc}/nova/nova.conf"

    def start_mariadb(self) -> None:
        argv = (
            self.installation.debian / "usr/sbin/mariadbd",
            f"--defaults-file={self.layout.etc}/mariadb.cnf",
        )
        self.processes.start("mariadb", argv, self._debian_env())

    def start_rabbitmq(self) -> None:
        """RabbitMQ with an epmd of its own: the machine's common one stays out of it."""
        layout, erlang = self.layout, self.installation.debian / "usr/lib/erlang/bin"
        home = layout.state / "rabbitmq"
        home.mkdir(exist_ok=True)
        (home / "enabled_plugins").write_text("[].\n")
        env = self._debian_env() | {
            "HOME": str(home),
            "PATH": f"{erlang}:/usr/bin:/bin",
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "ERL_EPMD_PORT": str(layout.ports["epmd"]),
        }
        self.processes.start("epmd", (self.installation.erlang("epmd"),), env)
        env |= {
            "RABBITMQ_ALLOW_INPUT": "1",  # exec the VM: the listed pid is the server's
            "RABBITMQ_CONF_ENV_FILE": "/dev/null",
            "RABBITMQ_CONFIG_FILE": str(layout.etc / "rabbitmq"),
            "RABBITMQ_DIST_PORT": str(layout.ports["erlang"]),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(home / "enabled_plugins"),
            "RABBITMQ_LOG_BASE": str(layout.log),
            "RABBITMQ_LOGS": "-",
            "RABBITMQ_MNESIA_BASE": str(home / "mnesia"),
            "RABBITMQ_NODENAME": "vks@localhost",
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODE_PORT": str(layout.ports["rabbitmq"]),
            "RABBITMQ_PID_FILE": str(layout.run / "rabbitmq-own.txt"),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": (
                "-noinput -kernel inet_dist_use_interface {127,0,0,1}"
            ),
        }
        self.processes.start("rabbitmq", (self.installation.rabbitmq_server(),), env)

    def start_api(self, service: str) -> None:
        """An OpenStack API: one gunicorn worker with four threads.

        The arguments are in gunicorn.conf.py in the working directory because Neutron parses
        the command line that it finds itself started with.
        """
        etc = self.layout.etc / service
        env = {
            f"OS_{service.upper()}_CONFIG_DIR": str(etc),
            "OS_NEUTRON_CONFIG_FILES": "neutron.conf;ml2_conf.ini",
        }
        self.processes.start(service, (self.bin("gunicorn"),), env, cwd=etc)

    def start_apis(self, *services: str) -> None:
        for service in services or tuple(WSGI_MODULES):
            self.start_api(service)

    def start_nova_control(self) -> None:
        for part in ("conductor", "scheduler"):
            self.processes.start(f"nova-{part}", (self.bin(f"nova-{part}"), self.nova_config), {})

    def start_computes(self) -> None:
        for host in compute_hosts():
            (self.layout.state / host).mkdir(exist_ok=True)
            own = f"--config-file={self.layout.etc}/nova/{host}.conf"
            self.processes.start(host, (self.bin("nova-compute"), self.nova_config, own), {})

    def debian_program(self, path: str) -> tuple[Path, dict[str, str]]:
        """A program of the unpacked packages and the environment that it needs."""
        return self.installation.debian / path, self._debian_env()

    def _debian_env(self) -> dict[str, str]:
        return {"LD_LIBRARY_PATH": self.installation.library_path(), "LANG": "C.UTF-8"}
