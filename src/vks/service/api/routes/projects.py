"""The caller's project."""

from __future__ import annotations

from fastapi import APIRouter

from vks.service.api import models
from vks.service.api.context import CallerIn, ScopeIn
from vks.service.api.offer import read_quotas

router = APIRouter(prefix="/projects", tags=["projects"])


@router.get("", operation_id="listProjects")
async def list_projects(caller: CallerIn) -> models.Page[models.ProjectView]:
    """The project that the token is for: a token is good for one."""
    project = models.ProjectView(name=caller.project_name, id=caller.project_id)
    return models.Page[models.ProjectView](items=[project])


@router.get("/{project}", operation_id="getProject")
async def get_project(scope: ScopeIn) -> models.ProjectDetail:
    """The project and its quotas, region by region."""
    regions = []
    for region in scope.regions:
        quotas = await read_quotas(scope.caller.clouds[region.name])
        views = {
            name: models.QuotaView(limit=usage.limit if usage.limit >= 0 else None, used=usage.used)
            for name, usage in quotas.items()
        }
        regions.append(models.RegionQuotas(region=region.name, quotas=views))
    return models.ProjectDetail(
        name=scope.caller.project_name, id=scope.caller.project_id, regions=regions
    )
