"""The revisions in the documentation, on a real PostgreSQL."""

import ast
import re
from pathlib import Path
from typing import Any

import pytest

from s1ctl.database.runner import apply_revision, undo_revision
from s1ctl.database.state import database_state
from s1ctl.progress import silent
from tests.support.lineages import Lineage
from tests.support.postgres import Database

pytestmark = pytest.mark.integration
PAGE = Path(__file__).parents[2] / "docs" / "migrations.md"


def documented() -> Lineage:
    lineage = Lineage()
    for text in re.findall(r"^```python\n(.*?)^```", PAGE.read_text("utf-8"), re.S | re.M):
        said: dict[str, str] = {}
        for statement in ast.parse(text).body:
            if isinstance(statement, ast.Assign) and "Backfill" not in ast.unparse(statement):
                exec(ast.unparse(statement), said)
        phase: Any = said["phase"]
        lineage = lineage.add(said["revision"], phase, text, release=said["release"], head="")
    return lineage


def test_the_revisions_of_the_documentation_work(postgres: Database, tmp_path: Path) -> None:
    lineage = documented()
    assert len(lineage.revisions) == 6
    for revision in lineage.revisions:
        order = lineage.order(postgres.dsn(), revision.id, tmp_path)
        apply_revision(order, notify=silent, on_wait=lambda _: None)
        if revision.phase in {"expand", "enforce"}:
            undo_revision(order, notify=silent, on_wait=lambda _: None)
            apply_revision(order, notify=silent, on_wait=lambda _: None)
        if revision.id == "0001":
            postgres.execute(
                "INSERT INTO events (level) SELECT i % 7 FROM generate_series(1, 99) i"
            )
    assert database_state(postgres.dsn(), lineage.schema).standing == "at"
    assert postgres.one("SELECT count(*) FROM events WHERE severity = 'high'") == 42
