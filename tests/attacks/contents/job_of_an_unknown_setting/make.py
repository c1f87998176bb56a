from pathlib import Path

import msgspec

from s1ctl.release.manifest import Job
from tests.support.attacks import PARTS, UNIT, Suspect, good


def make(folder: Path) -> Suspect:
    job = Job(name="rows", source=UNIT.source, image=UNIT.images[0], when="after-roll")
    jobs = (msgspec.structs.replace(job, settings=("other",)),)
    return Suspect(good(folder, PARTS.change(jobs=jobs)))
