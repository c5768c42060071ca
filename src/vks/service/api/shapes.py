"""What the shapes of the REST API are made of."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

LABEL_VALUE = r"^(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?$"
LABEL_KEY = (
    r"^([a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*/)?"
    r"([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]$"
)

NAME = r"^[a-z]([-a-z0-9]*[a-z0-9])?$"
VERSION = r"^v[0-9]+\.[0-9]+\.[0-9]+$"
#: What is said instead of an expression.
MEANING = {
    NAME: "may have lower-case letters, digits and '-', a letter first and no '-' at the end",
    VERSION: "is no version: it reads like v1.36.3",
}

PoolName = Annotated[str, Field(pattern=NAME, max_length=20)]
Reference = Annotated[str, Field(min_length=1, max_length=255)]
LabelKey = Annotated[str, Field(pattern=LABEL_KEY, max_length=317)]
LabelValue = Annotated[str, Field(pattern=LABEL_VALUE, max_length=63)]
Zones = Annotated[list[Reference], Field(max_length=100)]
Count = Annotated[int, Field(ge=0, le=1000)]


class Model(BaseModel):
    model_config = ConfigDict(
        alias_generator=to_camel, validate_by_name=True, serialize_by_alias=True, extra="forbid"
    )


class Condition(Model):
    type: str
    status: str
    reason: str
    message: str
    last_transition_time: str
