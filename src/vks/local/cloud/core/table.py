"""Rows as structs: one declaration gives the columns, their SQL and the typed value.

Plain values are columns of their own (and can be filtered on); lists and maps are JSON.
"""

from __future__ import annotations

import types
from collections.abc import Mapping
from typing import Any, Generic, TypeVar, Union, get_args, get_origin, get_type_hints

import msgspec

from vks.local.cloud.core.database import Database


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """Base class of everything that is stored."""


R = TypeVar("R", bound=Row)

_SQL_TYPES: dict[Any, str] = {str: "TEXT", int: "INTEGER", float: "REAL", bool: "INTEGER"}


class Column:
    """How one field of a struct is kept."""

    def __init__(self, name: str, annotation: Any) -> None:
        self.name = name
        self.nullable = False
        if get_origin(annotation) in (Union, types.UnionType):
            members = [member for member in get_args(annotation) if member is not type(None)]
            self.nullable = len(members) < len(get_args(annotation))
            annotation = members[0] if len(members) == 1 else annotation
        self.annotation = annotation
        self.json = annotation not in _SQL_TYPES

    def ddl(self) -> str:
        kind = _SQL_TYPES.get(self.annotation, "TEXT")
        return f"{self.name} {kind}" + ("" if self.nullable else " NOT NULL")

    def store(self, value: Any) -> Any:
        if value is None or not self.json:
            return value
        return msgspec.json.encode(value).decode()

    def load(self, stored: Any) -> Any:
        if stored is None:
            return None
        if self.json:
            return msgspec.json.decode(stored, type=self.annotation)
        return bool(stored) if self.annotation is bool else stored


class Table(Generic[R]):
    """One resource's table. `constraints` are SQL table constraints (UNIQUE, FOREIGN KEY …);
    `large` columns are nullable, and left out of summaries."""

    def __init__(
        self,
        name: str,
        row: type[R],
        *,
        key: tuple[str, ...] = ("id",),
        constraints: tuple[str, ...] = (),
        indexes: tuple[str, ...] = (),
        large: tuple[str, ...] = (),
    ) -> None:
        self.name = name
        self.row = row
        self.key = key
        self._constraints = constraints
        self._indexes = indexes
        self._large = large
        hints = get_type_hints(row)
        self.columns = {field: Column(field, hints[field]) for field in row.__struct_fields__}

    def ddl(self) -> list[str]:
        lines = [column.ddl() for column in self.columns.values()]
        lines.append(f"PRIMARY KEY ({', '.join(self.key)})")
        lines.extend(self._constraints)
        statements = [f"CREATE TABLE IF NOT EXISTS {self.name} ({', '.join(lines)})"]
        statements.extend(
            f"CREATE INDEX IF NOT EXISTS {self.name}_{index} ON {self.name} ({index})"
            for index in self._indexes
        )
        return statements

    def insert(self, db: Database, row: R) -> R:
        """Raises sqlite3.IntegrityError when a constraint is broken."""
        values = [column.store(getattr(row, name)) for name, column in self.columns.items()]
        marks = ", ".join("?" * len(values))
        names = ", ".join(self.columns)
        db.execute(f"INSERT INTO {self.name} ({names}) VALUES ({marks})", values)  # noqa: S608
        return row

    def put(self, db: Database, row: R) -> R:
        """Insert, or replace the row of the same key."""
        self.delete(db, **{name: getattr(row, name) for name in self.key})
        return self.insert(db, row)

    def find(self, db: Database, order: str = "rowid", **where: Any) -> list[R]:
        """The rows whose columns equal the given values; a list means «one of these»."""
        return self._select(db, ", ".join(self.columns), order, where)

    def summaries(self, db: Database, **where: Any) -> list[R]:
        """What `find` finds, but with None in the columns that are large."""
        names = (f"NULL AS {name}" if name in self._large else name for name in self.columns)
        return self._select(db, ", ".join(names), "rowid", where)

    def _select(self, db: Database, what: str, order: str, where: Mapping[str, Any]) -> list[R]:
        clause, values = self._where(where)
        sql = f"SELECT {what} FROM {self.name}{clause} ORDER BY {order}"  # noqa: S608
        return [self._load(found) for found in db.query(sql, values)]

    def pick(self, db: Database, *names: str, **where: Any) -> list[tuple[Any, ...]]:
        """These columns alone of the rows that `find` would find."""
        clause, values = self._where(where)
        columns = [self.columns[name] for name in names]
        sql = f"SELECT {', '.join(names)} FROM {self.name}{clause} ORDER BY rowid"  # noqa: S608
        return [
            tuple(column.load(value) for column, value in zip(columns, found, strict=True))
            for found in db.query(sql, values)
        ]

    def get(self, db: Database, **where: Any) -> R | None:
        rows = self.find(db, **where)
        return rows[0] if rows else None

    def count(self, db: Database, **where: Any) -> int:
        clause, values = self._where(where)
        sql = f"SELECT COUNT(*) FROM {self.name}{clause}"  # noqa: S608
        return int(db.query(sql, values)[0][0])

    def update(self, db: Database, row: R, **changes: Any) -> R:
        """Write the changed columns of one row; the row as it is now."""
        if not changes:
            return row
        sets = ", ".join(f"{name} = ?" for name in changes)
        stored = [self.columns[name].store(value) for name, value in changes.items()]
        clause, values = self._where({name: getattr(row, name) for name in self.key})
        db.execute(f"UPDATE {self.name} SET {sets}{clause}", [*stored, *values])  # noqa: S608
        return msgspec.structs.replace(row, **changes)

    def delete(self, db: Database, **where: Any) -> int:
        clause, values = self._where(where)
        return db.execute(f"DELETE FROM {self.name}{clause}", values)  # noqa: S608

    def _where(self, where: Mapping[str, Any]) -> tuple[str, list[Any]]:
        conditions: list[str] = []
        values: list[Any] = []
        for name, value in where.items():
            if name not in self.columns:
                raise KeyError(f"table {self.name} has no column {name}")
            if isinstance(value, list | tuple | set):
                conditions.append(f"{name} IN ({', '.join('?' * len(value))})")
                values.extend(value)
            elif value is None:
                conditions.append(f"{name} IS NULL")
            else:
                conditions.append(f"{name} = ?")
                values.append(value)
        return (" WHERE " + " AND ".join(conditions) if conditions else ""), values

    def _load(self, found: Any) -> R:
        return self.row(**{name: col.load(found[name]) for name, col in self.columns.items()})
