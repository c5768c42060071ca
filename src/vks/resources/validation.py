"""Rules that the API server checks itself (CEL, `x-kubernetes-validations`)."""

from __future__ import annotations

Rule = dict[str, str]


def immutable(path: str) -> Rule:
    """The required field at `path` (from the object's root) keeps its first value."""
    return {"rule": f"self.{path} == oldSelf.{path}", "message": f"{path} is immutable"}


def write_once(path: str) -> Rule:
    """The optional field at `path` may be set later, but neither changed nor removed then."""
    return {
        "rule": f"!has(oldSelf.{path}) || (has(self.{path}) && self.{path} == oldSelf.{path})",
        "message": f"{path} cannot be changed once it is set",
    }


def fixed(path: str) -> Rule:
    """The optional field at `path` keeps its first value, and stays absent when it was."""
    return {
        "rule": f"has(self.{path}) == has(oldSelf.{path}) "
        f"&& (!has(self.{path}) || self.{path} == oldSelf.{path})",
        "message": f"{path} is immutable",
    }
