"""Which verbs there are; each noun has a module, which imports what is heavy when it is called."""

import typer

from s1ctl.cli import bundle, explain, init, key, load, lock, trust


def add_verbs(app: typer.Typer) -> None:
    """Put every verb on the command line, in the order in which `--help` lists them."""
    app.add_typer(key.app, name="key")
    app.add_typer(bundle.app, name="bundle")
    app.command("init")(init.init)
    app.add_typer(trust.app, name="trust")
    app.command("load")(load.load)
    app.add_typer(lock.app, name="lock")
    app.command("explain")(explain.explain)
