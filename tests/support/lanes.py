"""Two lanes for the whole suite: waiting for real servers leaves a processor to the other one."""

from __future__ import annotations

from pathlib import PurePosixPath

from xdist.scheduler import LoadScopeScheduling

#: Told in one region, one after another.
STORIES = (
    "test_first_cluster",
    "test_pods",
    "test_cluster_api",
    "test_late_node",
    "test_scaling",
    "test_hollow_workers",
    "test_control_plane_loss",
    "test_deletion",
    "test_bare_cluster",
    "test_bad_cloud",
    "test_kills",
    "test_neighbours",
)
#: What takes long begins early, so that both lanes end together.
FIRST = (
    "without region",
    "tests/e2e/test_migration.py",
    "tests/e2e/test_lifecycle.py",
    "e2e",
    "cloud",
)


def together(nodeid: str) -> str:
    """What tests share that may run only once at a time, or costs too much to have twice: an API
    server, real OpenStack, a region."""
    path = PurePosixPath(nodeid.partition("::")[0])
    kind = path.parts[1]
    if kind == "e2e":
        return kind if path.stem in STORIES else str(path)
    return kind if kind in ("cloud", "hollow", "local") else "without region"


def rank(nodeid: str) -> int:
    """When its turn is: the lowest first."""
    group = together(nodeid)
    return FIRST.index(group) if group in FIRST else len(FIRST)


class Lanes(LoadScopeScheduling):  # type: ignore[misc] # it has no types
    """Whoever has nothing left takes the next of what has to stay together."""

    def _split_scope(self, nodeid: str) -> str:
        return together(nodeid)
