"""`s1ctl prune`: remove releases, images, points and backups that nothing needs any more."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from s1ctl.cli import context
from s1ctl.cli.operate import DryRun, Yes
from s1ctl.cli.progress import size

if TYPE_CHECKING:
    from s1ctl.operation.prune import PruneReport
    from s1ctl.operation.prune_plan import PrunePlan

SCHEMA = 1
COLLECT = "docker-registry garbage-collect /etc/docker/registry/config.yml"


def prune(
    line: typer.Context,
    *,
    keep: Annotated[
        int | None,
        typer.Option(
            min=1, metavar="N", help="Rollback points, and dumps of each database, that stay."
        ),
    ] = None,
    no_registry: Annotated[
        bool, typer.Option("--no-registry", help="Leave the registry as it is.")
    ] = False,
    dry_run: DryRun = False,
    yes: Yes = False,
) -> None:
    """Remove what no kept point, installed release or unfinished operation names.

    Without `--keep` it is `policy.keep_points` of the site file.
    """
    from s1ctl.cli.surroundings import make_context
    from s1ctl.operation.prune import prune as act
    from s1ctl.operation.prune import prune_facts
    from s1ctl.operation.prune_plan import make_prune_plan

    here = context.of(line)
    surroundings = make_context(here)
    count = keep or here.site.policy.keep_points
    facts = prune_facts(surroundings, keep=count, is_registry_left=no_registry)
    plan = make_prune_plan(facts)
    text = describe_plan(plan, here.site.name)
    if dry_run or plan.is_empty:
        here.output.result(text, {"schema": SCHEMA, "done": False, "plan": plan_document(plan)})
        return
    if not here.output.is_json:
        here.output.say("\n".join(text), is_vital=not yes)
    if not here.confirm("remove all this?", is_yes=yes):
        raise typer.Abort
    report = act(surroundings, plan, keep=count, is_registry_left=no_registry, notify=here.notify)
    here.close()
    host = here.site.registry.host
    data = {
        "schema": SCHEMA,
        "done": True,
        "plan": plan_document(plan),
        "left": report_document(report),
        "collect": COLLECT if plan.manifests else None,
    }
    here.output.result(describe_end(plan, report, host), data)


def describe_plan(plan: "PrunePlan", site: str) -> list[str]:
    """Say what stays and why, what goes, and how many bytes come free."""
    lines = [f"prune of {site}"]
    lines += [f"  stays  {name}: {why}" for name, why in plan.kept.items()]
    for release in plan.releases:
        fault = f"; its images stay, since {release.fault.message}" if release.fault else ""
        lines.append(f"  goes   release {release.version} ({release.digest}){fault}")
    lines += [f"  goes   manifest {repository}@{digest}" for repository, digest in plan.manifests]
    lines += [f"  goes   tag {tag}" for tag in plan.tags]
    lines += [f"  goes   tag {tag}; its manifest stays" for tag in plan.lone_tags]
    lines += [f"  goes   image {name} ({size(count)})" for name, count in plan.images.items()]
    lines += [f"  goes   point {point}" for point in plan.points]
    lines += [
        f"  goes   backup {dump.id} of {dump.database} ({size(dump.size_bytes)})"
        for dump in plan.backups
    ]
    if plan.is_empty:
        return [*lines, "nothing goes"]
    free = (
        f"registry {size(plan.registry_bytes)} after its own garbage collection",
        f"engine at most {size(plan.engine_bytes)}",
        f"state directory {size(plan.state_bytes)}",
    )
    return [*lines, f"comes free: {', '.join(free)}"]


def describe_end(plan: "PrunePlan", report: "PruneReport", host: str) -> list[str]:
    """Say what went, what is left, and how the registry gives its room back."""
    removed = len(plan.images) - len(report.left_images)
    counts = (
        f"{len(plan.releases)} releases, {removed} images,"
        f" {len(plan.points)} points, {len(plan.backups)} backups"
    )
    lines = [f"pruned: {counts}"]
    lines += [f"  a container still uses {name}; it stays" for name in report.left_images]
    if not plan.manifests:
        return lines
    if report.is_deletion_off:
        lines.append(f"the registry {host} allows no deletion, so its images are all still there")
        lines.append("  set `storage.delete.enabled: true` in its configuration, restart it, then:")
        lines += _deletions(plan, host)
    elif report.left_tags:
        lines.append(f"the registry {host} deletes no tag alone; these stay, and do no harm:")
        lines += [f"  {tag}" for tag in report.left_tags]
    lines.append("the registry gives its room back by its own garbage collection, on its host,")
    lines += ["while nothing is sent to it:", f"  {COLLECT}"]
    return lines


def plan_document(plan: "PrunePlan") -> dict[str, Any]:
    """Make the plain data of a plan."""
    return {
        "kept": dict(plan.kept),
        "releases": [{"version": r.version, "digest": str(r.digest)} for r in plan.releases],
        "manifests": [f"{repository}@{digest}" for repository, digest in plan.manifests],
        "tags": [str(tag) for tag in (*plan.tags, *plan.lone_tags)],
        "images": dict(plan.images),
        "points": list(plan.points),
        "backups": [
            {"backup": b.id, "database": b.database, "bytes": b.size_bytes} for b in plan.backups
        ],
        "bytes": {
            "registry": plan.registry_bytes,
            "engine": plan.engine_bytes,
            "state": plan.state_bytes,
        },
    }


def report_document(report: "PruneReport") -> dict[str, Any]:
    """Make the plain data of what was left."""
    return {
        "tags": [str(tag) for tag in report.left_tags],
        "images": list(report.left_images),
        "registry_deletes": not report.is_deletion_off,
    }


def _deletions(plan: "PrunePlan", host: str) -> list[str]:
    return [
        f"  skopeo delete docker://{host}/{repository}@{digest}"
        for repository, digest in plan.manifests
    ]
