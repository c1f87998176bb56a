from pathlib import Path

from s1ctl.release.manifest import Job
from tests.support.attacks import PARTS, UNIT, Suspect, good


def make(folder: Path) -> Suspect:
    job = Job(name="rows", source=UNIT.source, image="other", when="before-roll")
    return Suspect(good(folder, PARTS.change(jobs=(job,))))
