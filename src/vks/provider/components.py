"""Writes what `clusterctl init` installs: `python -m vks.provider.components CONFIG-DIRECTORY`.

`CONFIG/clusterctl/infrastructure-components.yaml` is the provider's CRDs, its admission policies
and its manager in one file, each labelled as clusterctl wants it.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import yaml

from vks.resources.contract import INFRASTRUCTURE_GROUP, PROVIDER_LABEL

PROVIDER = "infrastructure-verda"


def config_directory() -> Path:
    """Where CRDs, policies and roles are: inside this package in a wheel, at a checkout's root."""
    here = Path(__file__).resolve()
    packed = here.parent / "config"
    return packed if packed.is_dir() else here.parents[3] / "config"


def components(config: Path) -> list[dict[str, Any]]:
    """The objects, in the order in which they can be created."""
    files = [
        *sorted((config / "crd").glob(f"*.{INFRASTRUCTURE_GROUP}.yaml")),
        config / "admission/templates.yaml",
        config / "provider/manager.yaml",
    ]
    return [labelled(obj) for file in files for obj in yaml.safe_load_all(file.read_text()) if obj]


def labelled(obj: dict[str, Any]) -> dict[str, Any]:
    """The object with the label by which clusterctl knows whose it is."""
    metadata = obj["metadata"]
    labels = {**metadata.get("labels", {}), PROVIDER_LABEL: PROVIDER}
    return {**obj, "metadata": {**metadata, "labels": labels}}


def main() -> None:
    config = Path(sys.argv[1])
    target = config / "clusterctl/infrastructure-components.yaml"
    target.write_text(yaml.safe_dump_all(components(config), sort_keys=False, width=100))


if __name__ == "__main__":
    main()
