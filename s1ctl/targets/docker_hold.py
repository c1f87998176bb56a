"""The lock of a site at its engine: a volume, because a second create answers with the first."""

from dataclasses import asdict, dataclass

from s1ctl.errors import InputOutputFailed, SiteHeld
from s1ctl.targets.docker_container import PREFIX, SITE
from s1ctl.targets.docker_engine import Engine

LOCK = PREFIX + "lock."


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """Who holds the site, for which operation and plan, since when (ISO 8601, UTC)."""

    operation: str
    who: str
    host: str
    pid: int
    boot_id: str
    since: str
    plan: str
    message: str = ""


def lock_name(site: str) -> str:
    """Name the volume that is the lock."""
    return f"s1ctl-lock-{site}"


def take_hold(engine: Engine, site: str, hold: Hold) -> Hold:
    """Take the lock, or find that the same operation has it; say who holds it now.

    Create, then compare: of two that create at once, both find the labels of the first. They are
    looked up, since an engine that was restarted answers a create without them. Raises `SiteHeld`
    S1-E30.
    """
    labels = {SITE: site, **{LOCK + key: str(value) for key, value in asdict(hold).items()}}
    made = engine.create_volume(lock_name(site), labels)
    found = engine.volume(lock_name(site)) or made
    holder = _parse(site, found.get("Labels"))
    if holder.operation != hold.operation:
        raise SiteHeld(
            f"site `{site}` is held by `{holder.who}` on `{holder.host}` (process {holder.pid}) "
            f"since {holder.since}, for operation `{holder.operation}`",
            code="S1-E30",
            hint="wait for it, or run `s1ctl lock show`",
        )
    return holder


def read_hold(engine: Engine, site: str) -> Hold | None:
    """Say who holds the site; None where nobody does."""
    found = engine.volume(lock_name(site))
    return _parse(site, found.get("Labels")) if found else None


def release_hold(engine: Engine, site: str, operation: str) -> None:
    """Give the lock back; one that another operation holds stays."""
    holder = read_hold(engine, site)
    if holder is not None and holder.operation == operation:
        engine.remove_volume(lock_name(site))


def break_hold(engine: Engine, site: str) -> Hold | None:
    """Take the lock away from whoever holds it, and say who did."""
    holder = read_hold(engine, site)
    if holder is not None:
        engine.remove_volume(lock_name(site))
    return holder


def _parse(site: str, labels: dict[str, str] | None) -> Hold:
    found = labels or {}
    if found.get(SITE) != site:
        raise InputOutputFailed(
            f"there is a volume `{lock_name(site)}` that is not the lock of site `{site}`",
            code="S1-E17",
            hint=f"look at it with `docker volume inspect {lock_name(site)}`, and remove it",
        )
    texts = {key: found.get(LOCK + key, "") for key in Hold.__dataclass_fields__ if key != "pid"}
    pid = found.get(LOCK + "pid", "")
    return Hold(pid=int(pid) if pid.isdigit() else 0, **texts)
