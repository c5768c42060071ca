"""Every test of this directory that takes `cloud` runs on the local Verda and on OpenStack."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.cloud.clouds_local import run_local
from tests.cloud.clouds_openstack import run_openstack
from tests.cloud.steps import Steps
from tests.support.clouds import Cloud, Project

_RUN = {"local": run_local, "openstack": run_openstack}


@pytest.fixture(
    scope="session",
    params=["local", pytest.param("openstack", marks=pytest.mark.openstack)],
)
def cloud(request: pytest.FixtureRequest) -> Iterator[Cloud]:
    """A running cloud; it fails, and does not skip, when the cloud cannot be started."""
    with _RUN[request.param]() as running:
        yield running


@pytest.fixture
def project(cloud: Cloud) -> Project:
    """A project that this test has to itself."""
    return cloud.new_project()


@pytest.fixture
def other(cloud: Cloud) -> Project:
    """Somebody else's project."""
    return cloud.new_project()


@pytest.fixture
def steps(cloud: Cloud, project: Project) -> Steps:
    """Common steps as the project's member."""
    return Steps(cloud, project.member)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Starting a cloud happens within the first test's time limit."""
    for item in items:
        if "cloud" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.timeout(1800))
