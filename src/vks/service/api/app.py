"""Puts the application together."""

from __future__ import annotations

from fastapi import APIRouter, FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from vks.kube.errors import ApiError
from vks.service.api import models
from vks.service.api.context import Services
from vks.service.api.middleware import Envelope
from vks.service.api.problems import (
    RESPONSES,
    Problem,
    ProblemDocument,
    of_kube,
    of_validation,
)
from vks.service.api.routes import (
    clusters,
    details,
    fleets,
    migration,
    nodes,
    operations,
    pools,
    projects,
    regions,
    static_ip,
    upgrades,
)

_HTTP = {404: "not_found", 405: "method_not_allowed", 415: "unsupported_media_type"}


def create_app(services: Services) -> FastAPI:
    """The ASGI application over these services."""
    app = FastAPI(
        title="VKS",
        summary="Verda Kubernetes Service",
        version="1.0.0",
        openapi_url="/v1/openapi.json",
        docs_url="/v1/docs",
        redoc_url=None,
        separate_input_output_schemas=False,
    )
    app.state.services = services
    app.add_middleware(Envelope, max_body=services.config.limits.max_body_bytes)
    _handle_errors(app)
    _health(app)
    api = APIRouter(prefix="/v1", responses=RESPONSES)
    modules = (
        regions,
        projects,
        clusters,
        details,
        upgrades,
        pools,
        nodes,
        static_ip,
        operations,
        migration,
        fleets,
    )
    for module in modules:
        api.include_router(module.router)
    app.include_router(api)
    _document_problems(app)
    return app


def _handle_errors(app: FastAPI) -> None:
    @app.exception_handler(Problem)
    async def problem(request: Request, error: Problem) -> Response:
        return error.response(request)

    @app.exception_handler(RequestValidationError)
    async def validation(request: Request, error: RequestValidationError) -> Response:
        return of_validation(error).response(request)

    @app.exception_handler(ApiError)
    async def management(request: Request, error: ApiError) -> Response:
        return of_kube(error).response(request)

    @app.exception_handler(HTTPException)
    async def http(request: Request, error: HTTPException) -> Response:
        code = _HTTP.get(error.status_code, "bad_request")
        headers = dict(error.headers or {})
        return Problem(code, str(error.detail), headers=headers).response(request)

    @app.exception_handler(Exception)
    async def unexpected(request: Request, _: Exception) -> Response:
        return Problem("internal", "an internal error; quote the request id").response(request)


def _health(app: FastAPI) -> None:
    @app.get("/healthz", tags=["health"], operation_id="getLiveness")
    async def live() -> models.Health:
        """The process runs."""
        return models.Health(status="ok")

    @app.get(
        "/readyz",
        tags=["health"],
        operation_id="getReadiness",
        responses={503: RESPONSES[503]},
    )
    async def ready(request: Request) -> models.Health:
        """Every region's management cluster answers."""
        services: Services = request.app.state.services
        for region in services.regions:
            await region.client.raw("GET", "/readyz")
        return models.Health(status="ok")


def _document_problems(app: FastAPI) -> None:
    """FastAPI documents its own validation error; ours is the problem document."""
    document = app.openapi()
    schemas = document["components"]["schemas"]
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    schema = ProblemDocument.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas.update(schema.pop("$defs", {}))
    schemas["ProblemDocument"] = schema
    app.openapi_schema = document
