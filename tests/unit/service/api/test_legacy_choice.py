from __future__ import annotations

import msgspec
import pytest
from tests.support.service import region_config

from vks.service.api.legacy import check_choice
from vks.service.api.problems import Problem

MODERN = msgspec.structs.replace(region_config(), legacy=False)


@pytest.mark.parametrize("provisioner", [None, "capi"])
def test_operators_may_choose_what_every_region_has(provisioner: str | None) -> None:
    check_choice(provisioner, MODERN, operator=True)


def test_operators_may_choose_the_legacy_provisioner_where_it_runs() -> None:
    check_choice("legacy", region_config(), operator=True)
    with pytest.raises(Problem) as refused:
        check_choice("legacy", MODERN, operator=True)
    (error,) = refused.value.errors
    assert (error.field, error.message) == ("provisioner", "does not run in region tokyo")


@pytest.mark.parametrize("provisioner", ["capi", "legacy"])
def test_nobody_else_may_choose_at_all(provisioner: str) -> None:
    check_choice(None, region_config(), operator=False)
    with pytest.raises(Problem) as refused:
        check_choice(provisioner, region_config(), operator=False)
    assert refused.value.errors[0].message == "is for operators only"
