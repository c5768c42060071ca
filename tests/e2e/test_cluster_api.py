"""Operators look at the region with Cluster API's own tool."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import yaml
from tests.support.localregion import NAMESPACE, ROOT, LocalRegion
from tests.support.workload import Workload

#: What runs the provider inside a cluster; in a local region the supervisor does that.
_NOT_IN_A_LOCAL_REGION = ("Deployment", "ServiceAccount", "Role", "RoleBinding")

#: How often each kind is in the tree of three control planes and three workers.
OBJECTS = {
    "Cluster": 1,
    "VerdaCluster": 1,
    "KubeadmControlPlane": 1,
    "MachineDeployment": 3,
    "Machine": 6,
    "KubeadmConfig": 6,
    "VerdaMachine": 6,
}


def clusterctl(region: LocalRegion, *arguments: str) -> str:
    done = subprocess.run(
        [str(region.programs / "clusterctl"), *arguments], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_describe_shows_the_cluster_as_a_readable_tree(region: LocalRegion, demo: Workload) -> None:
    shown = clusterctl(
        region,
        "describe",
        "cluster",
        "demo",
        f"--namespace={NAMESPACE}",
        f"--kubeconfig={region.layout.management_kubeconfig}",
        "--grouping=false",
        "--echo",
    )
    for kind, count in OBJECTS.items():
        lines = re.findall(rf"^(?:|.*[ ─]){kind} {NAMESPACE}/demo.*$", shown, re.MULTILINE)
        assert len(lines) == count, shown
        assert all(re.search(r" True +[A-Z][A-Za-z]+ +\d", line) for line in lines), shown


def test_clusterctls_components_are_what_the_region_runs_on(
    region: LocalRegion, tmp_path: Path
) -> None:
    repository = tmp_path / "infrastructure-verda" / "v0.1.0"
    shutil.copytree(ROOT / "config" / "clusterctl", repository)
    config = tmp_path / "clusterctl.yaml"
    url = str(repository / "infrastructure-components.yaml")
    provider = {"name": "verda", "type": "InfrastructureProvider", "url": url}
    config.write_text(yaml.safe_dump({"providers": [provider]}))
    generated = clusterctl(
        region, "generate", "provider", "--infrastructure=verda:v0.1.0", f"--config={config}"
    )
    objects = [
        obj
        for obj in yaml.safe_load_all(generated)
        if obj and obj["kind"] not in _NOT_IN_A_LOCAL_REGION
    ]
    assert len(objects) >= 8
    wanted = tmp_path / "wanted.yaml"
    wanted.write_text(yaml.safe_dump_all(objects))
    # Exits with 1, and says what, where something differs.
    region.kubectl("diff", "--server-side", "--field-manager=vks-platform", f"--filename={wanted}")
