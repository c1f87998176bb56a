"""What CI runs, a session each; they use the environment that `make setup` made."""

import sys
from pathlib import Path

import nox

nox.options.default_venv_backend = "none"
nox.options.sessions = ["lint", "types", "unit", "attacks", "wheel", "cli", "integration", "e2e"]

RESULTS = Path("dist/test").absolute()
INSTALLED = RESULTS / "installed"
SIDE_BY_SIDE = ("-n3", "--dist=loadfile")


@nox.session
def lint(session: nox.Session) -> None:
    """Format and lint."""
    session.run(sys.executable, "-m", "ruff", "format", "--check", "--quiet", ".")
    session.run(sys.executable, "-m", "ruff", "check", "--quiet", ".")


@nox.session
def types(session: nox.Session) -> None:
    """Check the types of the package."""
    session.run(sys.executable, "-m", "mypy")


@nox.session
def unit(session: nox.Session) -> None:
    """Test what needs no server, and the walls between the packages."""
    pages = ("tests/test_docs.py", "tests/test_readme.py")
    house = ("tests/test_imports.py", "tests/test_explain.py", "tests/test_hints.py", *pages)
    run_tests(session, "unit", "tests/unit", *house)


@nox.session
def attacks(session: nox.Session) -> None:
    """Refuse what must be refused, and end the same wherever a run is killed."""
    run_tests(session, "attacks", "-n2", "tests/attacks", "tests/crash")


@nox.session
def integration(session: nox.Session) -> None:
    """Test against a real engine, registry and PostgreSQL."""
    run_tests(session, "integration", *SIDE_BY_SIDE, "tests/integration")


@nox.session
def cli(session: nox.Session) -> None:
    """Test every verb's status, stdout and stderr."""
    run_tests(session, "cli", "tests/cli", "tests/test_schemas.py", "tests/test_cases.py")


@nox.session
def wheel(session: nox.Session) -> None:
    """Build the wheel and compare its files with git's."""
    run_tests(session, "wheel", "tests/test_wheel.py")


@nox.session
def e2e(session: nox.Session) -> None:
    """Install the wheel beside the libraries of this environment, and run it as a subprocess."""
    install_wheel(session)
    session.env["S1CTL_INSTALLED"] = str(INSTALLED / "bin" / "s1ctl")
    run_tests(session, "e2e", *SIDE_BY_SIDE, "tests/e2e")


def run_tests(session: nox.Session, name: str, *words: str) -> None:
    """Run pytest; its result goes to `dist/test/NAME.xml`, and no test at all is no failure."""
    session.run(
        sys.executable,
        *("-m", "pytest", "-q", "-o", "faulthandler_timeout=300"),
        f"--junitxml={RESULTS / name}.xml",
        *words,
        *session.posargs,
        success_codes=[0, 5],
    )


def install_wheel(session: nox.Session) -> None:
    """Make an environment in which s1ctl itself comes from the wheel alone."""
    wheels = RESULTS / "wheel"
    python = str(INSTALLED / "bin" / "python")
    pip = ("-m", "pip", "--quiet", "--disable-pip-version-check")
    session.run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(wheels))
    session.run(sys.executable, "-m", "venv", "--clear", "--without-pip", str(INSTALLED))
    session.run(
        *(sys.executable, *pip, "--python", python, "install", "--no-deps", "--no-index"),
        *map(str, wheels.glob("*.whl")),
    )
    ours = next(path for path in sys.path if path.endswith("site-packages"))
    theirs = next(INSTALLED.glob("lib/python*/site-packages"))
    (theirs / "libraries.pth").write_text(ours + "\n")
