"""A ledger of a fresh site."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from s1ctl.ledger.ledger import Ledger, open_ledger


@pytest.fixture(scope="session")
def fresh_state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    state = tmp_path_factory.mktemp("fresh") / "state"
    open_ledger(state).close()
    return state


@pytest.fixture
def state(fresh_state: Path, tmp_path: Path) -> Path:
    """A state directory with an empty ledger."""
    return Path(shutil.copytree(fresh_state, tmp_path / "state"))


@pytest.fixture
def ledger(state: Path) -> Iterator[Ledger]:
    with open_ledger(state) as ledger:
        yield ledger
