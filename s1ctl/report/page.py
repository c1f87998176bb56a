"""The page of a report: one file, no other resource, everything from elsewhere escaped."""

import re
from datetime import datetime

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from s1ctl import __version__
from s1ctl.data import data_folder
from s1ctl.report.axis import WIDTH
from s1ctl.report.report import Report
from s1ctl.report.words import seconds_text, tick_text

TEMPLATE = "report.html.j2"


def render_page(report: Report, *, made_at: datetime) -> str:
    """Render the page."""
    environment = Environment(
        loader=FileSystemLoader(data_folder("templates")),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "seconds": seconds_text,
        "tick": tick_text,
        "moment": _moment,
        "code": _code,
    }
    template = environment.get_template(TEMPLATE)
    return template.render(report=report, made_at=made_at, width=WIDTH, version=__version__)


def _moment(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S} UTC"


def _code(text: str) -> Markup:
    """Escape a text, and show what stands between backticks as code."""
    return Markup(re.sub("`([^`]*)`", r"<code>\1</code>", str(escape(text))))  # noqa: S704 - escaped
