"""Which verbs there are; each noun has a module, which imports what is heavy when it is called."""

import typer

from s1ctl.cli import (
    apply,
    backup,
    bundle,
    db,
    explain,
    going_on,
    init,
    install,
    key,
    load,
    lock,
    plan,
    preflight,
    prune,
    report,
    secret,
    status,
    support,
    trust,
    uninstall,
    upgrade,
)


def add_verbs(app: typer.Typer) -> None:
    """Put every verb on the command line."""
    app.command()(init.init)
    app.command()(load.load)
    app.command()(preflight.preflight)
    app.command()(plan.plan)
    app.command()(install.install)
    app.command()(upgrade.upgrade)
    app.command()(apply.apply)
    app.command()(going_on.resume)
    app.command()(going_on.rollback)
    app.command()(status.status)
    app.command()(status.history)
    app.command()(report.report)
    app.command()(support.support_bundle)
    app.command()(prune.prune)
    app.command()(uninstall.uninstall)
    app.command()(explain.explain)
    app.add_typer(db.app, name="db")
    app.add_typer(secret.app, name="secret")
    app.add_typer(backup.app, name="backup")
    app.add_typer(key.app, name="key")
    app.add_typer(bundle.app, name="bundle")
    app.add_typer(trust.app, name="trust")
    app.add_typer(lock.app, name="lock")
