"""Before the roll: are all rows as this release needs them? `python -m console.rows`."""

import json
import os
import sys

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from console.config import read_config
from console.database import Database
from console.release import UNFILLED, VERSION, Event


def main() -> int:
    """Report the numbers of rows; 1 where some still lack what this release reads."""
    counted = Database(read_config(os.environ)).run(count_rows)
    print(json.dumps({"version": VERSION, **counted}), flush=True)
    return 1 if counted["unfilled"] else 0


def count_rows(session: Session) -> dict[str, int]:
    """Count all rows, and those that lack something."""
    rows = select(func.count()).select_from(Event)
    return {
        "events": session.scalar(rows) or 0,
        "unfilled": session.scalar(rows.where(UNFILLED)) or 0,
    }


if __name__ == "__main__":
    sys.exit(main())
