"""The HAProxy configuration of a load balancer, as a pure function of it."""

from __future__ import annotations

import hashlib
from pathlib import Path

from vks.local.loadbalancer.types import (
    AdminState,
    Algorithm,
    HealthMonitor,
    LoadBalancer,
    Member,
    MonitorType,
    Pool,
)

_BALANCE = {Algorithm.ROUND_ROBIN: "roundrobin", Algorithm.LEAST_CONNECTIONS: "leastconn"}

# An hour of silence is longer than any watch stays silent. Keepalives find peers that vanished
# without a word, in workers of before a reload too, which check no health any more.
_DEFAULTS = """\
defaults
    mode tcp
    timeout connect 2s
    timeout client 1h
    timeout server 1h
    timeout tunnel 1h
    timeout client-fin 30s
    retries 3
    option redispatch 1
    option clitcpka
    option srvtcpka
    clitcpka-idle 30s
    clitcpka-intvl 10s
    clitcpka-cnt 3
    srvtcpka-idle 10s
    srvtcpka-intvl 5s
    srvtcpka-cnt 3
"""


def pool_name(pool_id: str) -> str:
    """HAProxy's name for the pool."""
    return f"pool_{pool_id}"


def effective_weight(member: Member) -> int:
    """A draining member is one of weight 0: it keeps its connections and gets no new one."""
    return 0 if member.admin_state is AdminState.DRAINING else member.weight


def generation(lb: LoadBalancer) -> str:
    """Identifies what only a reload can change: all but the weights and admin states.

    The running HAProxy reports it as its description, so what runs is asked, not remembered.
    """
    parts: list[object] = [lb.vip, [(x.id, x.port, x.pool_id) for x in lb.listeners]]
    for pool in lb.pools:
        members = [(member.id, member.address, member.port) for member in pool.members]
        parts += [pool.id, pool.algorithm, repr(pool.health_monitor), members]
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]


def render(lb: LoadBalancer, socket: Path) -> str:
    """The text of haproxy.cfg; `socket` is where the worker answers commands."""
    sections = [
        "global\n"
        f"    description {generation(lb)}\n"
        f"    stats socket {socket} mode 600 level admin expose-fd listeners\n"
        "    nbthread 1\n"
        "    maxconn 4000\n"
        "    noreuseport\n"  # a second HAProxy on the same VIP is refused by the kernel
        "    mworker-max-reloads 50\n"  # bounds the workers that linger for old connections
        "    spread-checks 10\n",
        _DEFAULTS,
    ]
    for listener in lb.listeners:
        sections.append(
            f"frontend listener_{listener.id}\n"
            f"    bind {lb.vip}:{listener.port}\n"
            f"    default_backend {pool_name(listener.pool_id)}\n"
        )
    sections += [_backend(pool) for pool in lb.pools]
    return "\n".join(sections)


def _backend(pool: Pool) -> str:
    lines = [f"backend {pool_name(pool.id)}", f"    balance {_BALANCE[pool.algorithm]}"]
    check = ""
    monitor = pool.health_monitor
    if monitor is not None:
        lines += _check_lines(monitor)
        check = (
            f" check inter {monitor.interval_ms}ms rise {monitor.rise} fall {monitor.fall}"
            " on-marked-down shutdown-sessions"  # clients of a dead member reconnect at once
        )
        if monitor.type is MonitorType.HTTPS:
            check += " check-ssl verify none"
    for member in pool.members:
        disabled = " disabled" if member.admin_state is AdminState.DISABLED else ""
        lines.append(
            f"    server {member.id} {member.address}:{member.port}"
            f" weight {effective_weight(member)}{check}{disabled}"
        )
    return "\n".join(lines) + "\n"


def _check_lines(monitor: HealthMonitor) -> list[str]:
    lines = [f"    timeout check {monitor.timeout_ms}ms"]
    if monitor.type is MonitorType.HTTPS:
        lines += [
            "    option httpchk",
            f"    http-check send meth GET uri {monitor.path} ver HTTP/1.1 hdr Host localhost",
            "    http-check expect status 200",
        ]
    return lines
