"""The cloud's state: one SQLite file, one writer.

The process runs one event loop and every transaction is a block without an await, so
transactions never interleave. WAL with synchronous=NORMAL survives kill -9 at any line; only
a power cut may lose the last transactions, which a development region can bear.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

#: Raised whenever a table changes its shape: a database of another version is refused.
SCHEMA_VERSION = 1


class DatabaseVersionError(RuntimeError):
    """The file was made by another version of the program."""


class Database:
    """A connection with explicit transactions. All methods block for micro- to milliseconds."""

    def __init__(self, path: Path | str) -> None:
        self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._connection.row_factory = sqlite3.Row
        for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON"):
            self._connection.execute(f"PRAGMA {pragma}")

    def create(self, statements: Sequence[str]) -> None:
        """Make the tables. Raises DatabaseVersionError for a file of another version."""
        found = int(self._connection.execute("PRAGMA user_version").fetchone()[0])
        if found not in (0, SCHEMA_VERSION):
            raise DatabaseVersionError(
                f"the cloud's database has version {found}, this program needs {SCHEMA_VERSION}; "
                "remove the region with `vks down --purge`"
            )
        with self.transaction():
            for statement in statements:
                self._connection.execute(statement)
            self._connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing; must not contain an await and does not nest."""
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")

    def execute(self, sql: str, values: Sequence[Any] | Mapping[str, Any] = ()) -> int:
        """Run a statement that changes rows; the number of rows changed."""
        return self._connection.execute(sql, values).rowcount

    def query(self, sql: str, values: Sequence[Any] | Mapping[str, Any] = ()) -> list[sqlite3.Row]:
        return self._connection.execute(sql, values).fetchall()

    def close(self) -> None:
        self._connection.close()
