from pathlib import Path

from s1ctl.release.manifest import Job
from tests.support.attacks import PARTS, UNIT, Suspect, good


def make(folder: Path) -> Suspect:
    job = Job(name=UNIT.name, source=UNIT.source, image=UNIT.images[0], when="after-roll")
    return Suspect(good(folder, PARTS.change(jobs=(job,))))
