"""Node pools as the API shows them: pure functions."""

from __future__ import annotations

from vks.kube.objects import json_name
from vks.resources import nodepool, verdamachine
from vks.service.api import pool_models as models
from vks.service.api.conditions import condition_views
from vks.service.api.static_ip_models import StaticIPSummary
from vks.service.nodepool.plan import PoolPlan


def pool_view(pool: nodepool.NodePool) -> models.NodePoolView:
    spec, status, root = pool.spec, pool.status, pool.spec.root_volume
    return models.NodePoolView(
        name=spec.pool_name,
        id=pool.metadata.uid,
        cluster=spec.cluster_name,
        version=spec.version,
        replicas=pool.size,
        flavor=spec.flavor,
        image=spec.image,
        key_name=spec.key_name,
        ssh_public_key=spec.ssh_public_key,
        root_volume=models.RootVolume(sizeGiB=root.size_gib) if root else None,
        zones=list(spec.zones),
        labels=spec.labels,
        taints=[models.Taint(key=t.key, value=t.value, effect=t.effect) for t in spec.taints],
        user_script=_user_script(spec.user_script),
        autoscaling=_autoscaling(spec.autoscaling),
        max_surge=spec.max_surge,
        max_unavailable=spec.max_unavailable,
        drain_timeout_seconds=spec.drain_timeout_seconds,
        staticIP=_static_ip(spec.static_ip),
        created_at=pool.metadata.creation_timestamp,
        deleted_at=pool.metadata.deletion_timestamp,
        status=models.NodePoolStatus(
            phase="Deleting" if pool.deleting else status.phase,
            replicas=status.replicas,
            ready_replicas=status.ready_replicas,
            zones=[
                models.ZoneStatus(
                    name=zone.name,
                    desired=zone.desired,
                    replicas=zone.replicas,
                    ready_replicas=zone.ready_replicas,
                )
                for zone in status.zones
            ],
            conditions=condition_views(status.conditions),
        ),
    )


def plan_view(plan: PoolPlan, after: nodepool.NodePoolSpec, etag: str) -> models.NodePoolPlan:
    return models.NodePoolPlan(
        replaced=[
            models.PlannedNode(
                name=machine.metadata.name,
                node=machine.status.node_ref.name if machine.status.node_ref else None,
                zone=machine.spec.failure_domain,
            )
            for machine in plan.replaced
        ],
        because=[json_name(name) for name in plan.because],
        in_place=[json_name(name) for name in plan.in_place],
        zones=[
            models.PlannedZone(name=zone.name, before=zone.before, after=zone.after)
            for zone in plan.zones
        ],
        max_surge=after.max_surge,
        max_unavailable=after.max_unavailable,
        etag=etag,
    )


def script_view(report: verdamachine.UserScriptStatus | None) -> models.UserScriptResult | None:
    if report is None:
        return None
    return models.UserScriptResult(
        complete=report.complete, pre=_result(report.pre), post=_result(report.post)
    )


def _result(result: verdamachine.ScriptResult | None) -> models.ScriptResult | None:
    if result is None:
        return None
    return models.ScriptResult(
        outcome=result.outcome,
        exit_code=result.exit_code,
        duration_seconds=result.duration_ms / 1000,
        lines=result.lines,
    )


def _user_script(script: nodepool.UserScriptSpec | None) -> models.UserScript | None:
    if script is None:
        return None
    return models.UserScript(
        pre=script.pre,
        post=script.post,
        timeout_seconds=script.timeout_seconds,
        on_failure=script.on_failure,
    )


def _static_ip(static: nodepool.StaticIPSpec | None) -> StaticIPSummary | None:
    if static is None:
        return None
    return StaticIPSummary(subnet=static.subnet_id, count=len(static.slots))


def _autoscaling(scaling: nodepool.AutoscalingSpec | None) -> models.Autoscaling | None:
    return models.Autoscaling(min=scaling.min, max=scaling.max) if scaling else None
