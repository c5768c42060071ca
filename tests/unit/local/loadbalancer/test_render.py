import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from vks.local.loadbalancer import (
    AdminState,
    Algorithm,
    HealthMonitor,
    Listener,
    LoadBalancer,
    Member,
    MonitorType,
    OperatingStatus,
    Pool,
)
from vks.local.loadbalancer.render import generation, render
from vks.local.loadbalancer.runtime import member_commands, member_states

MEMBERS = (Member("m1", "10.60.1.11", 6443), Member("m2", "10.60.1.12", 6443, weight=5))
POOL = Pool("p1", Algorithm.ROUND_ROBIN, HealthMonitor(MonitorType.HTTPS, 500, 400, 1, 2), MEMBERS)
BALANCER = LoadBalancer("lb1", "10.60.0.5", (Listener("l1", 6443, "p1"),), (POOL,))


def with_members(*members: Member) -> LoadBalancer:
    return replace(BALANCER, pools=(replace(POOL, members=members),))


def server_line(lb: LoadBalancer, member: str) -> str:
    lines = render(lb, Path("/run/s")).splitlines()
    return next(line for line in lines if line.startswith(f"    server {member} "))


def test_a_listener_binds_the_vip_and_leads_to_its_pool() -> None:
    text = render(BALANCER, Path("/run/s"))
    assert "bind 10.60.0.5:6443\n    default_backend pool_p1\n" in text


def test_a_member_is_checked_as_its_monitor_says() -> None:
    assert server_line(BALANCER, "m2") == (
        "    server m2 10.60.1.12:6443 weight 5 check inter 500ms rise 1 fall 2"
        " on-marked-down shutdown-sessions check-ssl verify none"
    )
    assert "http-check send meth GET uri /readyz" in render(BALANCER, Path("/run/s"))


def test_a_pool_without_monitor_has_no_check() -> None:
    lb = replace(BALANCER, pools=(replace(POOL, health_monitor=None),))
    assert server_line(lb, "m1") == "    server m1 10.60.1.11:6443 weight 1"


def test_a_draining_member_gets_weight_zero_and_a_disabled_one_is_in_maintenance() -> None:
    lb = with_members(
        replace(MEMBERS[0], admin_state=AdminState.DRAINING),
        replace(MEMBERS[1], admin_state=AdminState.DISABLED),
    )
    assert " weight 0 " in server_line(lb, "m1")
    assert server_line(lb, "m2").endswith(" disabled")


def test_weights_and_admin_states_need_no_reload() -> None:
    changed = with_members(replace(MEMBERS[0], weight=7), MEMBERS[1])
    assert generation(changed) == generation(BALANCER)
    assert "set server pool_p1/m1 weight 7" in member_commands(changed)


@pytest.mark.parametrize(
    "changed",
    [
        with_members(MEMBERS[0]),
        with_members(replace(MEMBERS[0], port=1), MEMBERS[1]),
        replace(BALANCER, listeners=(Listener("l1", 443, "p1"),)),
        replace(BALANCER, pools=(replace(POOL, health_monitor=None),)),
    ],
)
def test_any_other_change_needs_one(changed: LoadBalancer) -> None:
    assert generation(changed) != generation(BALANCER)


@pytest.mark.skipif(shutil.which("haproxy") is None, reason="haproxy is not installed")
@pytest.mark.parametrize("monitor", [None, HealthMonitor(MonitorType.TCP), POOL.health_monitor])
def test_haproxy_accepts_the_configuration(tmp_path: Path, monitor: HealthMonitor | None) -> None:
    pool = replace(POOL, health_monitor=monitor, algorithm=Algorithm.LEAST_CONNECTIONS)
    config = tmp_path / "haproxy.cfg"
    config.write_text(render(replace(BALANCER, pools=(pool,)), tmp_path / "s"))
    checked = subprocess.run(["haproxy", "-c", "-f", config], capture_output=True, text=True)
    assert checked.returncode == 0, checked.stderr
    assert "WARNING" not in checked.stderr


def test_member_states_are_read_from_the_statistics() -> None:
    stat = (
        "# pxname,svname,status,weight\n"
        "pool_p1,a,UP,1\npool_p1,b,DOWN 1/2,1\npool_p1,c,MAINT,1\n"
        "pool_p1,d,DRAIN,0\npool_p1,e,no check,1\npool_p1,f,no check,0\npool_p1,g,UP 1/2,1\n"
    )
    assert member_states(stat) == {
        "a": OperatingStatus.ONLINE,
        "b": OperatingStatus.OFFLINE,
        "c": OperatingStatus.OFFLINE,
        "d": OperatingStatus.DRAINING,
        "e": OperatingStatus.NO_MONITOR,
        "f": OperatingStatus.DRAINING,
        "g": OperatingStatus.ONLINE,
    }
