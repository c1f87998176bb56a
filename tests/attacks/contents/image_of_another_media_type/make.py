from pathlib import Path

from tests.support.attacks import Suspect, good, with_image_field


def make(folder: Path) -> Suspect:
    index = "application/vnd.oci.image.index.v1+json"
    return Suspect(good(folder, with_image_field(media_type=index)))
