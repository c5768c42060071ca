"""Which objects a list or watch covers, and whether an object is one of them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from vks.kube.objects import Key

_SET = re.compile(r"^(?P<label>\S+)\s+(?P<op>in|notin)\s+\((?P<values>[^)]*)\)$")
_EQUALITY = re.compile(r"^(?P<label>[^=!\s]+)\s*(?P<op>==|=|!=)\s*(?P<value>[^=!\s]*)$")
_EXISTS = re.compile(r"^(?P<op>!?)\s*(?P<label>[^=!\s()]+)$")
_COMMA = re.compile(r",(?![^()]*\))")


@dataclass(frozen=True)
class Selection:
    """The part of a kind that somebody looks at; None means all."""

    namespace: str | None = None
    label_selector: str | None = None
    field_selector: str | None = None

    def may_contain(self, key: Key, labels: Mapping[str, str]) -> bool:
        """False when an object surely lies outside; field selectors are not evaluated."""
        if self.namespace is not None and key.namespace != self.namespace:
            return False
        return self.label_selector is None or matches_labels(self.label_selector, labels)


EVERYTHING = Selection()


def matches_labels(selector: str, labels: Mapping[str, str]) -> bool:
    """Whether labels satisfy a selector in the API's syntax. Raises ValueError."""
    terms = [term.strip() for term in _COMMA.split(selector) if term.strip()]
    return all(_matches_term(term, labels) for term in terms)


def _matches_term(term: str, labels: Mapping[str, str]) -> bool:
    if match := _SET.match(term):
        values = {value.strip() for value in match["values"].split(",")}
        return (labels.get(match["label"]) in values) == (match["op"] == "in")
    if match := _EQUALITY.match(term):
        return (labels.get(match["label"]) == match["value"]) == (match["op"] != "!=")
    if match := _EXISTS.match(term):
        return (match["label"] in labels) != bool(match["op"])
    raise ValueError(f"not a label selector term: {term!r}")
