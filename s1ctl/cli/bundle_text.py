"""Bundles in words and as plain data."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from s1ctl.cli.output import table
from s1ctl.cli.progress import duration, size

if TYPE_CHECKING:
    from s1ctl.bundle.build import BuildReport
    from s1ctl.bundle.lint import LintReport
    from s1ctl.bundle.verify import VerifyReport

LINT_SCHEMA = 1
VERIFIED = "header verified: a trusted root vouches for it; `bundle verify` reads every byte"
NOT_VERIFIED = "NOT VERIFIED: no root is trusted here; this is only what the file says of itself"


def describe(data: dict[str, Any]) -> list[str]:
    """Say what a bundle holds, and whether anybody trusted vouches for it."""
    rows = [
        ("release", f"{data['product']} {data['version']}, channel {data['channel']}"),
        ("", f"sequence {data['sequence']}, issued {data['issued']}"),
        ("digest", data["release"]),
        ("upgrades", f"from {data['upgrade']['from'] or 'no version'}"),
    ]
    rows += [("signed by", key) for key in data["signers"]]
    rows += [
        ("image", f"{image['name']}, {', '.join(image['platforms'])}, {image['digest']}")
        for image in data["images"]
    ]
    rows += [("unit", f"{unit['name']}, {unit['role']}") for unit in data["units"]]
    rows += [
        ("database", f"{schema['database']}: {', '.join(schema['revisions'])}")
        for schema in data["schemas"]
    ]
    rows += [
        ("blobs", f"{found['count']} {kind}, {size(found['bytes'])}")
        for kind, found in data["blobs"].items()
    ]
    return [_vouched(data), *table([*rows, ("file", size(data["bytes"]))])]


def describe_blobs(data: dict[str, Any]) -> list[str]:
    """List every blob with its kind, size and path."""
    rows = [
        (blob["kind"], size(blob["size"]), blob["digest"], blob["path"] or "")
        for blob in data["blobs"]
    ]
    return [_vouched(data), *table(rows)]


def describe_verified(report: "VerifyReport") -> list[str]:
    """Say what was proven."""
    return [
        f"verified: {report.product} {report.version}, sequence {report.sequence}",
        *(f"  signed by {key}" for key in report.signers),
        f"  digest {report.release}",
        f"  {report.blobs} blobs, {size(report.bytes)}, in {duration(report.seconds)}",
    ]


def describe_build(report: "BuildReport") -> list[str]:
    """Say what was built."""
    manifest = report.manifest
    return [
        f"built: {manifest.product} {manifest.version}, sequence {manifest.sequence}"
        + ("" if report.is_signed else ", not signed"),
        f"  digest {report.digest}",
        *(f"  image {image.name} {image.digest}" for image in report.images),
        f"  {report.path}, {len(manifest.blobs)} blobs, {size(report.size_bytes)}",
    ]


def build_document(report: "BuildReport") -> dict[str, object]:
    """Make the plain data of what was built."""
    return {
        "file": str(report.path),
        "product": report.manifest.product,
        "version": str(report.manifest.version),
        "digest": str(report.digest),
        "bytes": report.size_bytes,
        "signed": report.is_signed,
        "warnings": list(report.warnings),
        "images": {image.name: str(image.digest) for image in report.images},
    }


def plain_data(report: "VerifyReport") -> dict[str, object]:
    """Make the plain data of what was proven."""
    return asdict(report)


def describe_lint(report: "LintReport") -> list[str]:
    """Say each finding with its place and what to do, then what nobody can see from here."""
    lines: list[str] = []
    for one in report.findings:
        lines += [
            f"{one.severity:<7} {one.id}: {one.where}",
            f"        {one.text}",
            f"        do: {one.advice}",
            "",
        ]
    return [
        *lines,
        f"{report.name}: {report.errors} errors, {report.warnings} warnings",
        "not checked, because it cannot be seen from here:",
        *(f"  {text}" for text in report.unseen),
    ]


def lint_document(report: "LintReport", *, exit_: int) -> dict[str, object]:
    """Make the plain data of the findings."""
    return {
        "schema": LINT_SCHEMA,
        "exit": exit_,
        "file": report.name,
        "findings": [
            {
                "id": one.id,
                "severity": one.severity,
                "where": one.where,
                "text": one.text,
                "advice": one.advice,
            }
            for one in report.findings
        ],
        "not_checked": list(report.unseen),
    }


def _vouched(data: dict[str, Any]) -> str:
    return VERIFIED if data["verified"] else NOT_VERIFIED
