"""Fixtures for the real parts; each asks `need` first."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

pytest_plugins = [
    "tests.support.engine",
    "tests.support.postgres",
    "tests.support.registry",
    "tests.support.consoles",
    "tests.support.kiosk",
    "tests.support.loads",
]
