"""Real OpenStack as a cloud under test."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.clouds import Api, Cloud, Credential
from tests.support.openstack.layout import ADMIN_PASSWORD, REGION, ZONES, stacks_home
from tests.support.openstack.seed import FLAVORS, IMAGE, connect_admin
from tests.support.openstack.stack import Stack, up


@contextmanager
def run_openstack() -> Iterator[Cloud]:
    """A stack of this run's own; `VKS_TEST_OPENSTACK=NAME` takes one that is up and leaves it."""
    shared = os.environ.get("VKS_TEST_OPENSTACK")
    if shared:
        yield _cloud(Stack.at(stacks_home() / shared))
        return
    cache = Path(os.environ.get("VKS_CACHE", "/var/cache/vks"))
    stack = up(f"test-{os.getpid()}", cache, owner=os.getpid())
    try:
        yield _cloud(stack)
    finally:
        stack.down()


def _cloud(stack: Stack) -> Cloud:
    auth_url = stack.layout.endpoint("keystone")
    with connect_admin(stack.layout) as connection:
        user_id, project_id = connection.current_user_id, connection.current_project_id
    credential = Credential(auth_url, REGION, "admin", ADMIN_PASSWORD, project_id, "admin", user_id)
    return Cloud("openstack", auth_url, REGION, ZONES, tuple(FLAVORS), IMAGE, Api.of(credential))
