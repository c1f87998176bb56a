"""Files that are not the canonical container of a signed release."""

import gzip
import io
import os
import tarfile

from s1ctl.bundle.archive import BLOCK, HEADER_NAME, blob_name, member_header
from s1ctl.errors import FormatRefused
from tests.support.attacks import PARTS, Suspect, attack, good, member, spoil


def header_field(number, start, raw):
    """Spoil a field of a member's header, with the checksum that then is right."""

    def change(file):
        at = member(number).offset - BLOCK
        block = bytearray(file[at : at + BLOCK])
        block[start : start + len(raw)] = raw
        block[148:156] = b" " * 8
        block[148:156] = b"%06o\0 " % sum(block)
        file[at : at + BLOCK] = block

    return change


@attack(FormatRefused, "S1-F04")
def first_byte_flipped(folder):
    return spoil(folder, lambda raw: raw.__setitem__(0, raw[0] ^ 1))


@attack(FormatRefused, "S1-F03")
def compressed(folder):
    return spoil(folder, lambda raw: gzip.compress(bytes(raw)))


@attack(FormatRefused, "S1-F10")
def empty_file(folder):
    return spoil(folder, lambda _: b"")


@attack(FormatRefused, "S1-F10")
def last_byte_cut_off(folder):
    return spoil(folder, lambda raw: raw[:-1])


@attack(FormatRefused, "S1-F11")
def one_byte_appended(folder):
    return spoil(folder, lambda raw: raw + b"\0")


@attack(FormatRefused, "S1-F11")
def member_appended(folder):
    extra = member_header("extra", 0)
    return spoil(folder, lambda raw: raw[:-1024] + extra + bytes(1024))


@attack(FormatRefused, "S1-F10")
def member_missing(folder):
    last = member(-1)
    return spoil(folder, lambda raw: raw[: last.offset - BLOCK] + bytes(1024))


@attack(FormatRefused, "S1-F12")
def member_twice(folder):
    def change(raw):
        first, last = member(-2), member(-1)
        raw[last.offset - BLOCK : last.end] = raw[first.offset - BLOCK : first.end]

    return spoil(folder, change)


@attack(FormatRefused, "S1-F12")
def members_reordered(folder):
    def change(raw):
        first, last = member(-2), member(-1)
        one, two = slice(first.offset - BLOCK, first.end), slice(last.offset - BLOCK, last.end)
        raw[one], raw[two] = raw[two], raw[one]

    return spoil(folder, change)


@attack(FormatRefused, "S1-F12")
def name_climbs_out(folder):
    return spoil(folder, header_field(-1, 0, b"../../etc/shadow\0"))


@attack(FormatRefused, "S1-F12")
def name_is_absolute(folder):
    return spoil(folder, header_field(-1, 0, b"/etc/shadow\0"))


@attack(FormatRefused, "S1-F12")
def name_has_bytes_after_its_end(folder):
    return spoil(folder, header_field(-1, 90, b"x"))


@attack(FormatRefused, "S1-F12")
def member_is_a_symlink(folder):
    return spoil(folder, header_field(-1, 156, b"2/etc/shadow\0"))


@attack(FormatRefused, "S1-F12")
def member_is_a_hard_link(folder):
    return spoil(folder, header_field(-1, 156, b"1index.json\0"))


@attack(FormatRefused, "S1-F12")
def member_is_a_device(folder):
    return spoil(folder, header_field(-1, 156, b"3"))


@attack(FormatRefused, "S1-F12")
def member_is_a_fifo(folder):
    return spoil(folder, header_field(-1, 156, b"6"))


@attack(FormatRefused, "S1-F12")
def member_is_sparse(folder):
    return spoil(folder, header_field(-1, 156, b"S"))


@attack(FormatRefused, "S1-F12")
def member_is_a_pax_record(folder):
    return spoil(folder, header_field(-1, 156, b"x"))


@attack(FormatRefused, "S1-F12")
def member_is_a_gnu_long_name(folder):
    return spoil(folder, header_field(-1, 156, b"L"))


@attack(FormatRefused, "S1-F04")
def pax_record_first(folder):
    return packed(folder, tarfile.PAX_FORMAT, {"comment": "x"})


@attack(FormatRefused, "S1-F05")
def gnu_tar_of_the_same_members(folder):
    return packed(folder, tarfile.GNU_FORMAT, {})


def packed(folder, form, headers):
    """Pack the good members by Python's `tarfile`."""
    path = good(folder)
    raw = path.read_bytes()
    with tarfile.open(path, "w", format=form, pax_headers=headers) as archive:
        for number in range(3 + len(PARTS.manifest.blobs)):
            part = member(number)
            info = tarfile.TarInfo(part.name)
            info.size = part.size
            archive.addfile(info, io.BytesIO(raw[part.offset :]))
    return Suspect(path)


@attack(FormatRefused, "S1-F12")
def other_mode(folder):
    return spoil(folder, header_field(-1, 100, b"0000755"))


@attack(FormatRefused, "S1-F12")
def other_owner(folder):
    return spoil(folder, header_field(-1, 108, b"0000001"))


@attack(FormatRefused, "S1-F12")
def owner_by_name(folder):
    return spoil(folder, header_field(-1, 265, b"root"))


@attack(FormatRefused, "S1-F12")
def other_time(folder):
    return spoil(folder, header_field(-1, 136, b"00000000001"))


@attack(FormatRefused, "S1-F12")
def size_in_base_256_where_octal_fits(folder):
    size = member(-1).size
    return spoil(folder, header_field(-1, 124, b"\x80" + size.to_bytes(11, "big")))


@attack(FormatRefused, "S1-F12")
def wrong_checksum(folder):
    at = member(-1).offset - BLOCK + 150
    return spoil(folder, lambda raw: raw.__setitem__(at, raw[at] ^ 1))


@attack(FormatRefused, "S1-F12")
def padding_between_members_not_zero(folder):
    at = member(3).end - 1
    return spoil(folder, lambda raw: raw.__setitem__(at, 1))


@attack(FormatRefused, "S1-F14")
def padding_after_the_last_member_not_zero(folder):
    at = member(-1).end - 1
    return spoil(folder, lambda raw: raw.__setitem__(at, 1))


@attack(FormatRefused, "S1-F14")
def end_not_zero(folder):
    return spoil(folder, lambda raw: raw.__setitem__(-1, 1))


@attack(FormatRefused, "S1-F13")
def other_layout_version(folder):
    at = member(1).offset + 24
    return spoil(folder, lambda raw: raw.__setitem__(at, ord("2")))


@attack(FormatRefused, "S1-F13")
def index_names_another_image(folder):
    def change(raw):
        part = member(2)
        index = bytes(raw[part.offset : part.offset + part.size])
        raw[part.offset : part.offset + part.size] = index.replace(b"console:", b"consols:")

    return spoil(folder, change)


@attack(FormatRefused, "S1-F05")
def first_member_claims_16_eib(folder):
    return spoil(folder, header_field(0, 124, b"\x80" + (2**64).to_bytes(11, "big")))


@attack(FormatRefused, "S1-F05")
def first_member_claims_17_mib(folder):
    return spoil(
        folder,
        lambda raw: member_header(HEADER_NAME, 17 << 20) + bytes(raw[BLOCK:]) + b" " * (17 << 20),
    )


@attack(FormatRefused, "S1-F05")
def first_member_of_no_whole_slot(folder):
    return spoil(folder, lambda raw: member_header(HEADER_NAME, 65535) + bytes(raw[BLOCK:]))


@attack(FormatRefused, "S1-F06")
def header_padded_with_a_newline(folder):
    return spoil(folder, lambda raw: raw.__setitem__(member(0).end - 1, ord("\n")))


@attack(FormatRefused, "S1-F06")
def header_padded_with_zeros(folder):
    return spoil(folder, lambda raw: raw.__setitem__(member(0).end - 1, 0))


@attack(FormatRefused, "S1-F20")
def second_document_in_the_padding(folder):
    at = member(0).end - 2
    return spoil(folder, lambda raw: raw.__setitem__(slice(at, at + 2), b"{}"))


@attack(FormatRefused, "S1-F06")
def one_slot_more_than_needed(folder):
    return spoil(
        folder,
        lambda raw: (
            member_header(HEADER_NAME, 128 << 10)
            + bytes(raw[BLOCK : member(0).end])
            + b" " * (64 << 10)
            + bytes(raw[member(0).end :])
        ),
    )


@attack(FormatRefused, "S1-F01")
def file_is_a_link(folder):
    path = good(folder)
    link = folder / "link.bundle"
    link.symlink_to(path)
    return Suspect(link)


@attack(FormatRefused, "S1-F02")
def file_is_a_pipe(folder):
    os.mkfifo(folder / "pipe.bundle")
    return Suspect(folder / "pipe.bundle")


@attack(FormatRefused, "S1-F02")
def file_is_a_folder(folder):
    (folder / "folder.bundle").mkdir()
    return Suspect(folder / "folder.bundle")


@attack(FormatRefused, "S1-F04")
def file_is_another_tar(folder):
    path = folder / "other.tar"
    path.write_bytes(member_header(blob_name(PARTS.manifest.compose), 0) + bytes(1024))
    return Suspect(path)
