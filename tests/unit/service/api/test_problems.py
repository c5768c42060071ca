"""What is wrong with the form of a request, in the words of whoever checked it."""

from __future__ import annotations

from typing import Any

import pytest
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError

from vks.service.api.models import ClusterCreate
from vks.service.api.problems import of_validation
from vks.service.api.shapes import MEANING, NAME

REQUEST: dict[str, Any] = {
    "name": "demo",
    "region": "tokyo",
    "version": "v1.36.3",
    "controlPlane": {"flavor": "small"},
}


@pytest.mark.parametrize(
    ("change", "field", "message"),
    [
        (
            {"controlPlane": {"flavor": "small", "replicas": 2}},
            "controlPlane.replicas",
            "must be odd: 1, 3, 5 or 7",
        ),
        (
            {"network": {"podCidr": "10.1.0.1/16"}},
            "network.podCidr",
            "10.1.0.1/16 has host bits set",
        ),
        ({"name": "Demo_1"}, "name", MEANING[NAME]),
        ({"more": 1}, "more", "Extra inputs are not permitted"),
    ],
)
def test_a_problem_names_the_field_and_says_what_the_check_said(
    change: dict[str, Any], field: str, message: str
) -> None:
    with pytest.raises(ValidationError) as refused:
        ClusterCreate.model_validate(REQUEST | change)
    errors = [{**error, "loc": ("body", *error["loc"])} for error in refused.value.errors()]
    (found,) = of_validation(RequestValidationError(errors)).errors
    assert (found.field, found.message) == (field, message)
