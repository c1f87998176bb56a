from pathlib import Path

from tests.support.attacks import Suspect, good, with_compose


def make(folder: Path) -> Suspect:
    lines = ["a0: &a0 [x, x]", *(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]" for n in range(1, 30))]
    return Suspect(good(folder, with_compose("\n".join(lines).encode())))
