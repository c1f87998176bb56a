from pathlib import Path

from s1ctl.bundle.archive import blob_name, member_header
from tests.support.attacks import PARTS, Suspect


def make(folder: Path) -> Suspect:
    path = folder / "other.tar"
    path.write_bytes(member_header(blob_name(PARTS.manifest.compose), 0) + bytes(1024))
    return Suspect(path)
