"""How our programs log."""

from __future__ import annotations

import logging
import sys
from contextvars import ContextVar

import structlog
from structlog.typing import EventDict, WrappedLogger

#: The key of the reconcile that this is a part of. What is logged says so.
reconciled_key: ContextVar[object] = ContextVar("reconciled_key", default=None)


def configure_logging(level: str = "info") -> None:
    """JSON lines on standard error."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            _add_key,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(
            logging.getLevelNamesMapping()[level.upper()]
        ),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )


def _add_key(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    key = reconciled_key.get()
    if key is not None:
        event.setdefault("key", str(key))
    return event
