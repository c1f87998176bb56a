"""Errors for a registry that does not answer, one for each cause that needs its own remedy."""

import ssl
from pathlib import Path

from s1ctl.errors import InputOutputFailed
from s1ctl.oci.retry import TemporarilyFailed

# X509_V_ERR_… of OpenSSL's x509_vfy.h
_UNKNOWN_ISSUER = frozenset({2, 18, 19, 20, 21, 27})
_OTHER_NAME = frozenset({62, 64})
# What OpenSSL's record layer calls bytes that are not TLS, in its several versions.
_NOT_TLS = frozenset({"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "PACKET_LENGTH_TOO_LONG"})


def unresolved(host: str) -> InputOutputFailed:
    """Make the error for a name that does not resolve."""
    return InputOutputFailed(
        f"the name of `{host}` does not resolve",
        code="S1-R01",
        hint="correct `registry.url` in the site file, add the name to DNS or `/etc/hosts`, or name"
        " the proxy that leads there in `HTTPS_PROXY`",
    )


def unreachable(host: str, reason: str) -> InputOutputFailed:
    """Make the error for an address that nobody listens on or that has no route."""
    return InputOutputFailed(
        f"`{host}` cannot be reached: {escaped(reason)}",
        code="S1-R02",
        hint="start the registry, or correct `registry.url` in the site file",
    )


def gone(failed: InputOutputFailed) -> TemporarilyFailed:
    """Make of an error the one for a registry that answered a moment ago, and may again."""
    return TemporarilyFailed(
        f"{failed.message}, though it answered a moment ago",
        code=failed.code,
        hint="start the registry, then run the command again: only what lacks is sent",
    )


def through(failed: InputOutputFailed, proxy: object) -> InputOutputFailed:
    """Make the same error, and say that a proxy was between."""
    message = f"{failed.message}; asked through the proxy {proxy}"
    return type(failed)(message, code=failed.code, hint=failed.hint)


def no_proxy_there(host: str, proxy: object, reason: str) -> InputOutputFailed:
    """Make the error for a proxy that does not take our connection."""
    return InputOutputFailed(
        f"the proxy {proxy}, which is to lead to `{host}`, cannot be reached: {escaped(reason)}",
        code="S1-R26",
        hint=f"correct the variable, or {_straight(host)}",
    )


def not_led_on(host: str, proxy: object, status: int, reason: str) -> InputOutputFailed:
    """Make the error for what a proxy answers in place of leading on."""
    if status == 407:
        return no_entry(host, proxy)
    kind = TemporarilyFailed if status >= 500 else InputOutputFailed
    return kind(
        f"the proxy {proxy} does not lead to `{host}`: it answers {status} {escaped(reason)}",
        code="S1-R27",
        hint=f"allow it there, or {_straight(host)}",
    )


def no_entry(host: str, proxy: object) -> InputOutputFailed:
    """Make the error for a proxy that wants a user and a password, or others."""
    return InputOutputFailed(
        f"the proxy {proxy}, which is to lead to `{host}`, does not let us in (407)",
        code="S1-R27",
        hint="write its user into the variable, `http://USER:PASSWORD@HOST:PORT`,"
        f" or {_straight(host)}",
    )


def _straight(host: str) -> str:
    name = host.rpartition(":")[0] if ":" in host else host
    return f'go straight: `export NO_PROXY="$NO_PROXY,{name}"`'


def timed_out(host: str, deadline: str) -> TemporarilyFailed:
    """Make the error for a deadline that passed; `deadline` names it with its seconds."""
    return TemporarilyFailed(
        f"`{host}` did not {deadline}",
        code="S1-R11",
        hint="look at the registry's log and load, then run the command again",
    )


def broken(host: str, reason: str) -> TemporarilyFailed:
    """Make the error for a connection that ended too early."""
    return TemporarilyFailed(
        f"the connection to `{host}` broke: {escaped(reason)}",
        code="S1-R15",
        hint="look at the registry's log, then run the command again: only what lacks is sent",
    )


def led_to_asker(host: str, other: str) -> InputOutputFailed:
    """Make the error for a host to which the registry leads, and which wants credentials."""
    return InputOutputFailed(
        f"`{host}` leads on to `{other}`, which asks for a password and does not get one",
        code="S1-R06",
        hint="let the registry hand out blobs itself (`storage.redirect.disable: true`), or give"
        " the address that needs no leading on as `registry.url`",
    )


def not_plain(host: str) -> InputOutputFailed:
    """Make the error for something that does not speak plain HTTP."""
    return InputOutputFailed(
        f"`{host}` does not understand plain HTTP",
        code="S1-R09",
        hint="if it speaks TLS, let `registry.url` in the site file begin with `https://`",
    )


def nonsense(host: str, what: str) -> InputOutputFailed:
    """Make the error for an answer that the protocol does not allow."""
    return InputOutputFailed(
        f"`{host}` sent {escaped(what)}",
        code="S1-R22",
        hint="make sure that `registry.url` names a registry, and look at its log",
    )


def tls_failed(host: str, error: BaseException, ca: Path | None = None) -> InputOutputFailed:
    """Make the error for a TLS connection that was not made, or ended too early."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return _unverified(host, error, ca)
    if isinstance(error, ssl.SSLError) and error.reason in _NOT_TLS:
        return InputOutputFailed(
            f"`{host}` answers in plain HTTP where TLS was expected",
            code="S1-R08",
            hint=f"give the registry TLS, or write `registry.url: http://{host}` in the site file",
        )
    if isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError):
        return broken(host, "it was closed inside TLS")
    return InputOutputFailed(
        f"`{host}` and s1ctl agree on no TLS: {escaped(str(error))}",
        code="S1-R17",
        hint="give the registry TLS 1.2 or newer",
    )


def _unverified(
    host: str, error: ssl.SSLCertVerificationError, ca: Path | None
) -> InputOutputFailed:
    look = f"`openssl s_client -connect {host} </dev/null | openssl x509 -noout"
    if error.verify_code in _UNKNOWN_ISSUER:
        known = f"none of the authorities in `{ca}`" if ca else "no authority that this host knows"
        return InputOutputFailed(
            f"the certificate of `{host}` is signed by {known}",
            code="S1-R03",
            hint="name the file with its authority's certificate as `registry.ca` in the site file;"
            f" {look} -issuer` says who signed it",
        )
    if error.verify_code in _OTHER_NAME:
        return InputOutputFailed(
            f"the certificate of `{host}` is for another name",
            code="S1-R04",
            hint="write one of its names in `registry.url`, or have it issued anew;"
            f" {look} -ext subjectAltName` says them",
        )
    return InputOutputFailed(
        f"the certificate of `{host}` is refused: {escaped(error.verify_message)}",
        code="S1-R17",
        hint=f"set the clock of this host, or have it issued anew; {look} -dates` says its dates",
    )


def escaped(text: str) -> str:
    """Make foreign text fit to be shown: one line, ASCII, at most 200 characters."""
    return text[:200].encode("unicode_escape").decode("ascii")
