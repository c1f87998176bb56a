"""Logs: one JSON document a line."""

import json
import logging
from datetime import UTC, datetime
from typing import TextIO

from console.release import VERSION


class JsonLines(logging.Formatter):
    """Formats a record with its `fields`."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the record's line."""
        document = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "message": record.getMessage(),
            "version": VERSION,
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            document["trace"] = self.formatException(record.exc_info)
        return json.dumps(document)


def write_json_logs(stream: TextIO) -> None:
    """Send every log to `stream`."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonLines())
    logging.basicConfig(level=logging.INFO, handlers=[handler])
