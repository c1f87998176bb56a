"""`s1ctl load`: bring a bundle into the private registry and the release store."""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from s1ctl.cli import context
from s1ctl.cli.progress import duration, size

if TYPE_CHECKING:
    from s1ctl.bundle.load import LoadPlan, LoadReport, MovedTag, Repair
    from s1ctl.bundle.reader import Bundle

Documents = list[dict[str, Any]]


def load(
    line: typer.Context,
    *,
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="The bundles.")],
    plan: Annotated[
        bool, typer.Option("--plan", help="Only say what would be sent; writes nothing.")
    ] = False,
) -> None:
    """Load bundles into registry and release store."""
    here = context.of(line)
    texts: list[str] = []
    data: Documents = []
    for file in files:
        text, document = plan_file(here, file) if plan else load_file(here, file)
        texts += text
        data.append(document)
    here.output.result(texts, {"loaded" if not plan else "planned": data})


def load_file(here: context.Here, file: Path) -> tuple[list[str], dict[str, Any]]:
    """Load one bundle and record it; say what was done, in words and as plain data."""
    from s1ctl.bundle.load import load_bundle
    from s1ctl.bundle.reader import open_bundle

    here.require_ledger()
    with open_bundle(file, here.trust) as bundle:
        report = load_bundle(
            bundle, here.registry, here.site.registry.prefix, here.store, notify=here.notify
        )
        _remember(here, bundle)
        return _describe_report(bundle, report), _document(bundle, report)


def plan_file(here: context.Here, file: Path) -> tuple[list[str], dict[str, Any]]:
    """Say what loading one bundle would do."""
    from s1ctl.bundle.load import plan_load
    from s1ctl.bundle.reader import open_bundle

    with open_bundle(file, here.trust) as bundle:
        plan = plan_load(bundle, here.registry, here.site.registry.prefix)
        return _describe_plan(bundle, plan), _document(bundle, plan)


def _remember(here: context.Here, bundle: "Bundle") -> None:
    """Record the release, and the newer root that the bundle may have brought."""
    from s1ctl.trust.root import chain_json

    release = bundle.release
    manifest = release.manifest
    here.ledger.trust.remember(manifest.product, chain_json(release.root.envelopes))
    here.ledger.releases.record_loaded(
        digest=release.digest,
        product=manifest.product,
        channel=manifest.channel,
        version=manifest.version,
        sequence=manifest.sequence,
        at=datetime.now(UTC),
    )


def _describe_report(bundle: "Bundle", report: "LoadReport") -> list[str]:
    sent = f"{size(report.bytes_sent)} in {report.blobs_sent} blobs"
    others = f"{report.blobs_mounted} mounted, {report.blobs_there} were there"
    return [
        f"loaded: {_name(bundle)}, digest {bundle.release.digest}",
        f"  sent {sent} ({others}), in {duration(report.seconds)}",
        f"  tags {', '.join(report.tags)}",
        *_describe_moved(report.moved_tags),
        *_describe_repairs(report.repairs, "repaired"),
    ]


def _describe_plan(bundle: "Bundle", plan: "LoadPlan") -> list[str]:
    to_send = f"{size(plan.send_bytes)} of {size(plan.unique_bytes)}"
    return [
        f"to load: {_name(bundle)}, digest {bundle.release.digest}",
        f"  {to_send} to send; {plan.blobs_there} of {plan.blobs} blobs are there",
        f"  tags {', '.join(plan.tags)}",
        *_describe_moved(plan.moved_tags),
        *_describe_repairs(plan.repairs, "to repair"),
    ]


def _describe_moved(tags: "tuple[MovedTag, ...]") -> list[str]:
    return [f"  warning: tag {tag.name} named {tag.was} before" for tag in tags]


def _describe_repairs(repairs: "tuple[Repair, ...]", verb: str) -> list[str]:
    return [
        f"  {verb}: {one.name} was there, but not what it names: {', '.join(one.missing)}"
        for one in repairs
    ]


def _name(bundle: "Bundle") -> str:
    manifest = bundle.release.manifest
    return f"{manifest.product} {manifest.version}"


def _document(bundle: "Bundle", report: "LoadReport | LoadPlan") -> dict[str, Any]:
    from dataclasses import asdict

    return {
        "product": bundle.release.manifest.product,
        "version": str(bundle.release.manifest.version),
        "digest": str(bundle.release.digest),
        **asdict(report),
    }
