"""The scripts of bundles/atlas, imported as they import each other."""

import importlib
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

ATLAS = Path(__file__).parents[3] / "bundles" / "atlas"


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], ModuleType]:
    monkeypatch.syspath_prepend(ATLAS / "images")
    monkeypatch.syspath_prepend(ATLAS)
    for name in ("build", "debian", "layer", "layout", "load", "rootfs", "wheels"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    return importlib.import_module
