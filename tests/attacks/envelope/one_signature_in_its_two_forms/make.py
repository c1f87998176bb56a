from dataclasses import replace
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)

from tests.support.attacks import PAIR, PARTS, Suspect, written
from tests.support.bundles import make_header

ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


def make(folder: Path) -> Suspect:
    header = make_header(PARTS, PAIR, PAIR.release_keys[:1])
    r, s = decode_dss_signature(header.release.signatures[0])
    both = (*header.release.signatures, encode_dss_signature(r, ORDER - s))
    header = replace(header, release=replace(header.release, signatures=both))
    return written(folder, header, PAIR.trust)
