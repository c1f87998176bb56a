"""Where a database lies once more while its dump is proven."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from s1ctl.operation import room


def test_a_dump_is_restored_in_the_first_folder_that_can_be_written(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """As the script does that restores it, where `/tmp` is not there or read-only."""
    monkeypatch.setattr(room, "PLACES", (str(tmp_path / "none"), str(tmp_path)))
    databases = {
        "theirs": SimpleNamespace(service=None),
        "own": SimpleNamespace(service="db"),
    }
    context: Any = SimpleNamespace(site=SimpleNamespace(state="/state", databases=databases))
    assert room.copies(context, "/engine", ("theirs", "own", "unknown")) == {
        "theirs": ("/state", str(tmp_path)),
        "own": ("/state", "/engine"),
    }
