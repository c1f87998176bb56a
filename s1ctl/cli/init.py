"""`s1ctl init`: write a commented site file, and let the engine trust the registry."""

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from s1ctl.cli import context
from s1ctl.cli.key import refuse_to_replace
from s1ctl.errors import InputOutputFailed, UsageError

if TYPE_CHECKING:
    from s1ctl.site.config import Site

QUESTIONS = {
    "name": "name of this site",
    "product": "product to install here",
    "registry": "URL of the private registry",
}
CERTIFICATES = Path("/etc/docker/certs.d")


Name = Annotated[str, typer.Option(help="The site's name, such as acme-prod.")]
Product = Annotated[str, typer.Option(help="The product to install here.")]
Channel = Annotated[str, typer.Option(help="The channel of its releases.")]
Url = Annotated[str, typer.Option(metavar="URL", help="The private registry.")]
Authority = Annotated[
    Path | None, typer.Option(metavar="FILE", help="The CA that signed its certificate.")
]
User = Annotated[str, typer.Option(help="Who s1ctl is to the registry.")]
Password = Annotated[
    str, typer.Option(metavar="SOURCE", help="env:NAME, file:/PATH or cmd:COMMAND.")
]
Network = Annotated[
    str, typer.Option(metavar="CIDR", help="A free subnet for the platform's network.")
]
State = Annotated[Path | None, typer.Option(metavar="DIR", help="Where s1ctl keeps its memory.")]
Databases = Annotated[
    list[str] | None, typer.Option(metavar="NAME=UNIT", help="A database and its data unit.")
]
Values = Annotated[
    list[str] | None, typer.Option(metavar="NAME=VALUE", help="A setting of the platform.")
]
Consents = Annotated[
    list[str] | None, typer.Option(metavar="UNIT=CONSENT", help="Such as gateway=host-network.")
]
Soak = Annotated[int, typer.Option(metavar="SECONDS", help="How long to watch a hop.")]
Silent = Annotated[
    bool, typer.Option("--non-interactive", help="Ask nothing; what is missing is an error.")
]
TrustEngine = Annotated[
    bool, typer.Option("--trust-engine", help="Put the registry's CA into the engine's store.")
]


def init(
    line: typer.Context,
    *,
    name: Name = "",
    product: Product = "",
    channel: Channel = "stable",
    registry: Url = "",
    registry_ca: Authority = None,
    registry_user: User = "",
    registry_password: Password = "",
    network: Network = "10.97.0.0/24",
    state_dir: State = None,
    database: Databases = None,
    value: Values = None,
    allow: Consents = None,
    soak: Soak = 60,
    non_interactive: Silent = False,
    trust_engine: TrustEngine = False,
) -> None:
    """Write a commented site file.

    A site file that is there is kept; with --trust-engine the rest is done for it.
    """
    here = context.of(line)
    if trust_engine and here.site_file.exists():
        _report_trust(here, here.site)
        return
    refuse_to_replace(here.site_file)
    given = {"name": name, "product": product, "registry": registry}
    answers = given if non_interactive else ask(here, given)
    for key, answer in answers.items():
        _require(key, answer)
    text = render(
        **answers,
        channel=channel,
        registry_ca=registry_ca.absolute() if registry_ca else None,
        registry_user=registry_user,
        registry_password=registry_password,
        network=network,
        state_dir=(state_dir or here.default_state).absolute(),
        databases=pairs(database, "--database"),
        values=pairs(value, "--value"),
        allow=grouped(allow),
        soak=soak,
    )
    _write(here, text)
    if trust_engine:
        _report_trust(here, here.site)


def ask(here: context.Here, given: dict[str, str]) -> dict[str, str]:
    """Ask for what was not given."""
    if any(not answer for answer in given.values()):
        here.require_terminal("`--non-interactive` and the options that `s1ctl init --help` lists")
    return {
        key: answer or str(typer.prompt(QUESTIONS[key], err=True)) for key, answer in given.items()
    }


def render(**words: object) -> str:
    """Fill the template of the site file; each value is written as a YAML scalar."""
    import json

    import jinja2

    from s1ctl.data import data_folder

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(data_folder("templates")),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701 - the result is YAML, and every value passes `scalar`
    )
    environment.filters["scalar"] = lambda value: json.dumps(str(value), ensure_ascii=False)
    return environment.get_template("site.yaml.j2").render(words)


def pairs(items: list[str] | None, option: str) -> dict[str, str]:
    """Parse `NAME=VALUE` options."""
    split = [item.partition("=") for item in items or ()]
    for name, sign, _ in split:
        if not (name and sign):
            raise UsageError(
                f"`{name}` is not of the form `NAME=VALUE`",
                code="S1-U86",
                hint=f"write `{option} {name or 'NAME'}=VALUE`",
            )
    return {name: value for name, _, value in split}


def grouped(items: list[str] | None) -> dict[str, list[str]]:
    """Parse `UNIT=CONSENT` options; a unit may be given several."""
    units: dict[str, list[str]] = {}
    for item in items or ():
        (unit, consent), *_ = pairs([item], "--allow").items()
        units.setdefault(unit, []).append(consent)
    return units


def _require(key: str, answer: str) -> None:
    if not answer:
        raise UsageError(f"the {QUESTIONS[key]} is missing", code="S1-U87", hint=f"give `--{key}`")


def _write(here: context.Here, text: str) -> None:
    """Write the site file, readable for its owner only, and read it back."""
    from s1ctl.files import write_file

    path = here.site_file
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_file(path, text.encode(), mode=0o600)
    except OSError as error:
        raise InputOutputFailed(
            f"`{path}` cannot be written: {error.strerror}", code="S1-I02", hint="check its folder"
        ) from None
    try:
        site = here.site
    except UsageError:
        path.unlink()
        raise
    here.output.result(
        f"{path} describes the site {site.name}; read it, and mend what differs",
        {"site_file": str(path), "site": site.name},
    )


def _report_trust(here: context.Here, site: "Site") -> None:
    place = trust_registry(site, CERTIFICATES)
    here.output.say(f"the engine now trusts {site.registry.host} by {place}")


def trust_registry(site: "Site", certificates: Path) -> Path:
    """Put the registry's CA where the engine looks for it; it needs no restart."""
    if site.registry.ca is None:
        raise UsageError(
            "the site file names no CA for the registry",
            code="S1-U88",
            hint="write its file to `registry.ca`; a public CA needs no trust of its own",
        )
    place = certificates / site.registry.host / "ca.crt"
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(site.registry.ca, place)
    except OSError as error:
        raise InputOutputFailed(
            f"`{site.registry.ca}` cannot be copied to `{place}`: {error.strerror}",
            code="S1-I02",
            hint=f"as root, run `install -D -m 644 {site.registry.ca} {place}`",
        ) from None
    return place
