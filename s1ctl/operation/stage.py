"""Actions of the stage: nothing in it is noticed by a user of the platform."""

from s1ctl.errors import StepFailed
from s1ctl.operation.action import Action, Record, always
from s1ctl.operation.check import check_site as judge_site
from s1ctl.operation.reveal import unit_settings
from s1ctl.operation.run import Run
from s1ctl.plan.plan import Hop
from s1ctl.plan.presence import Presence
from s1ctl.plan.steps import CheckSite, LoadRelease, Prepare, PullImages
from s1ctl.progress import Notify, Progress


def load_release(step: LoadRelease, run: Run) -> Action:
    """See that the release is in the store; `load` put it there last, after the registry."""

    def probe() -> Presence:
        return Presence.PRESENT if run.context.store.has(step.release) else Presence.ABSENT

    def do(_: Notify) -> Record:
        raise StepFailed(
            f"release {step.version} is not loaded any more",
            code="S1-O03",
            hint="run `s1ctl load FILE` with its bundle, then repeat",
        )

    return Action(probe=probe, do=do)


def check_site(step: CheckSite, run: Run) -> Action:
    """Judge the site for the releases of the path; done at every run."""

    def do(_: Notify) -> Record:
        findings = judge_site(
            run.context, step.releases, run.operation.plan, operation=run.operation.id
        )
        return {"findings": {f.id: f.outcome for f in findings}}

    return Action(probe=always, do=do)


def pull_images(step: PullImages, run: Run) -> Action:
    """Pull what the engine lacks, by digest."""
    target = run.context.target

    def missing() -> list[tuple[str, Presence]]:
        states = ((reference, target.has_image(reference)) for reference in step.references)
        return [(r, p) for r, p in states if p is not Presence.PRESENT]

    def probe() -> Presence:
        states = {presence for _, presence in missing()}
        if Presence.UNKNOWN in states:
            return Presence.UNKNOWN
        return Presence.ABSENT if states else Presence.PRESENT

    def do(notify: Notify) -> Record:
        pulled = [reference for reference, _ in missing()]
        for count, reference in enumerate(pulled, start=1):
            target.pull(reference, run.context.pull_credentials(), notify)
            notify(Progress(label=reference, done=count, total=len(pulled), unit="images"))
        return {"pulled": pulled}

    return Action(probe=probe, do=do)


def prepare(step: Prepare, run: Run, hop: Hop | None) -> Action:
    """Make network, volumes and secrets true, start missing data units, wait until ready."""

    def do(notify: Notify) -> Record:
        release = run.context.release(step.release)
        settings = unit_settings(run, release, hop)
        run.context.target.prepare(
            release, settings, step.data, operation=run.operation.id, notify=notify
        )
        return {"data": [instance.unit for instance in step.data]}

    return Action(probe=always, do=do)
