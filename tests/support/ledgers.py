"""Plain values to put into a ledger."""

from datetime import UTC, datetime

from s1ctl.oci.digest import Digest
from s1ctl.plan.plan import Hop, Plan, SecretUse, Settings
from s1ctl.plan.steps import CheckSite, Instance, LoadRelease, Placement, Roll

NOW = datetime(2026, 1, 2, 3, 4, 5, 678, tzinfo=UTC)
RELEASE = Digest.of(b"release")
INSTANCE = Instance(
    unit="web",
    release=RELEASE,
    version="1.0.0",
    placements=(Placement(replica=1, container="acme-web-1", address="10.97.0.4"),),
)
SETTINGS = Settings(
    values={"host": "acme.internal"}, secrets={"pw": SecretUse(version=1, fingerprint="ab" * 32)}
)
PLAN = Plan(
    verb="upgrade",
    site="acme",
    target_id="engine",
    start=None,
    start_version=None,
    stage=(LoadRelease(release=RELEASE, version="1.0.0"), CheckSite(releases=(RELEASE,))),
    hops=(
        Hop(
            to=RELEASE,
            version="1.0.0",
            why="asked for",
            steps=(Roll(role="app", replace="rolling", to=INSTANCE),),
        ),
    ),
    settings={RELEASE: SETTINGS},
)
