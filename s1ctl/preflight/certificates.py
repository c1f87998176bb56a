"""Certificates that expire: those that the registry shows, and the authority in the site file."""

import socket
import ssl
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from http.client import HTTPConnection
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from s1ctl.errors import S1Error
from s1ctl.oci.proxy import Proxy
from s1ctl.preflight.check import Check, Values
from s1ctl.preflight.collect import Collector
from s1ctl.preflight.finding import (
    Fix,
    Judgement,
    Required,
    failed,
    passed,
    skipped,
    worst_of,
)
from s1ctl.preflight.needs import Needs
from s1ctl.preflight.registry import STAGED
from s1ctl.site.config import RegistryAccess
from s1ctl.site.facts import Fact

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

TIMEOUT_S = 10
WARNS = timedelta(days=30)
Shown = dict[str, Any]
Choose = Callable[[str], "Proxy | None"]


def collectors(
    access: RegistryAccess, now: Callable[[], datetime], proxy: Choose
) -> dict[str, Collector]:
    """List what is read: the chain that the registry shows, verified or not, and the CA file."""
    return {"certificates": lambda: _certificates(access, now, proxy)}


def _certificates(access: RegistryAccess, now: Callable[[], datetime], proxy: Choose) -> Fact:
    is_tls = access.url.startswith("https:")
    value: dict[str, Any] = {"at": now().isoformat(), "tls": is_tls, "served": [], "reason": None}
    if is_tls:
        try:
            value["served"] = [_shown(one) for one in _served(access.url, proxy(access.url))]
        except S1Error as error:
            value["reason"] = error.message
        except (OSError, ValueError) as error:
            value["reason"] = getattr(error, "strerror", "") or str(error) or type(error).__name__
    value["authority"] = _authority(access.ca) if is_tls else []
    return Fact(value=value, source=f"{access.host}, {access.ca or 'no `registry.ca`'}")


def _served(url: str, proxy: Proxy | None) -> list["Certificate"]:
    """Fetch the chain of a server without believing it: an expired one is what we look for."""
    from cryptography.x509 import load_der_x509_certificate

    parts = urlsplit(url)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    place = (str(parts.hostname), parts.port or 443)
    with (
        _connect(place, proxy) as plain,
        context.wrap_socket(plain, server_hostname=parts.hostname) as wrapped,
    ):
        return [load_der_x509_certificate(raw) for raw in _chain(wrapped)]


def _connect(place: tuple[str, int], proxy: Proxy | None) -> socket.socket:
    """Connect straight or through a proxy. Raises `OSError`, for one that itself speaks TLS too."""
    if proxy is None:
        return socket.create_connection(place, TIMEOUT_S)
    parts = urlsplit(proxy.url)
    if parts.scheme != "http" or parts.hostname is None:
        raise ConnectionError(f"certificates are not looked at through {proxy}")
    tunnel = HTTPConnection(parts.hostname, parts.port, timeout=TIMEOUT_S)
    known = {"Proxy-Authorization": proxy.authorization} if proxy.authorization else {}
    tunnel.set_tunnel(*place, headers=known)
    tunnel.connect()
    return tunnel.sock


def _chain(wrapped: ssl.SSLSocket) -> list[bytes]:
    """Take the whole chain where Python hands it out, else the server's own certificate."""
    chain = getattr(wrapped, "get_unverified_chain", None)  # since 3.13
    if chain is not None:
        return list(chain())
    inner = getattr(getattr(wrapped, "_sslobj", wrapped), "get_unverified_chain", None)
    if inner is not None:
        return [ssl.PEM_cert_to_DER_cert(one.public_bytes()) for one in inner()]
    own = wrapped.getpeercert(binary_form=True)
    return [own] if own else []


def _authority(path: str | None) -> list[Shown]:
    """Read the authorities; a file that cannot be read is `reg.tls`'s to tell."""
    from cryptography.x509 import load_pem_x509_certificates

    if path is None:
        return []
    try:
        return [_shown(one) for one in load_pem_x509_certificates(Path(path).read_bytes())]
    except (OSError, ValueError):
        return []


def _shown(certificate: "Certificate") -> Shown:
    return {
        "subject": certificate.subject.rfc4514_string(),
        "issuer": certificate.issuer.rfc4514_string(),
        "from": certificate.not_valid_before_utc.isoformat(),
        "until": certificate.not_valid_after_utc.isoformat(),
    }


def judge_expiry(values: Values, needs: Needs) -> Judgement:
    """Judge the certificate that ends first; of an authority with several the last counts."""
    found: Any = values["certificates"]
    if needs.is_staged:
        return skipped(STAGED)
    if not found["tls"]:
        return skipped("the registry is reached without TLS")
    shown = [("the registry's certificate", one) for one in found["served"][:1]]
    shown += [("the registry's chain", one) for one in found["served"][1:]]
    shown += [("`registry.ca`", one) for one in _relevant(found["authority"], found["served"])]
    if not shown:
        return skipped(f"no certificate was seen: {found['reason'] or 'the registry shows none'}")
    unseen = f"; the registry's own was not seen: {found['reason']}" if found["reason"] else ""
    return _judge(shown, datetime.fromisoformat(found["at"]), unseen)


def _judge(shown: list[tuple[str, Shown]], at: datetime, unseen: str) -> Judgement:
    early = [
        _refused(f"{_named(where, one)} is not valid before {_day(one['from'])}", one)
        for where, one in shown
        if datetime.fromisoformat(one["from"]) > at
    ]
    shown.sort(key=lambda pair: datetime.fromisoformat(pair[1]["until"]))
    ends = [_judge_end(where, one, at, unseen) for where, one in shown]
    return worst_of((*early, *(one for one in ends if one.outcome != "pass"))) or ends[0]


def _judge_end(where: str, one: Shown, at: datetime, unseen: str) -> Judgement:
    left = datetime.fromisoformat(one["until"]) - at
    is_over = left <= timedelta()
    said = f"{_named(where, one)} {'ended' if is_over else 'ends'} on {_day(one['until'])}"
    text = f"{said}, {_days(left)}{unseen}"
    if left < WARNS:
        return _refused(text, one, is_warning=not is_over, about=(said,))
    return passed(text, value=left.days, unit="days")


def _relevant(authority: Iterable[Shown], served: Iterable[Shown]) -> list[Shown]:
    """Pick those of the authorities that the chain names, or all where no chain was seen.

    A file may hold the old certificate of an authority beside the new: the one that lasts counts.
    """
    issuers = {one["issuer"] for one in served}
    newest: dict[str, Shown] = {}
    for one in authority:
        if not issuers or one["subject"] in issuers:
            known = newest.get(one["subject"])
            newest[one["subject"]] = max(known or one, one, key=lambda each: str(each["until"]))
    return list(newest.values())


def _refused(
    text: str, one: Shown, *, is_warning: bool = False, about: tuple[str, ...] = ()
) -> Judgement:
    advice = (
        "Have a new one made before then; put a new authority into `registry.ca` and the engine's "
        "store, too."
        if is_warning
        else "Have a new one made; if the date is right, look at this host's clock."
    )
    return failed(
        text,
        advice,
        value=one["until"],
        required=Required(op=">=", value=WARNS.days, unit="days", source="s1ctl"),
        fix=Fix(command="date -u; s1ctl preflight --only clock", where="this host", safe=True),
        outcome="warn" if is_warning else "fail",
        about=about,
    )


def _named(where: str, one: Shown) -> str:
    return f"{where} (`{ascii(one['subject'])[1:-1]}`)"


def _day(text: str) -> str:
    return text[:10]


def _days(left: timedelta) -> str:
    hours = int(abs(left).total_seconds() // 3600)
    amount = f"{hours // 24} days" if hours >= 48 else f"{hours} hours"
    return f"{amount} ago" if left <= timedelta() else f"in {amount}"


CHECKS = (
    Check(
        id="cert.expiry",
        title="the registry's certificate and its authority last for 30 days",
        why="From that day on nothing can be loaded or pulled.",
        severity="blocking",
        facts=("certificates",),
        judge=judge_expiry,
    ),
)
