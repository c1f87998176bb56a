"""Which proxy leads where, by the variables of an environment."""

import base64

import pytest

from s1ctl.errors import InputOutputFailed
from s1ctl.oci.proxy import Proxies, is_named

REGISTRY = "https://registry.acme.internal:5000"


def to(url: str = REGISTRY, **environment: str) -> str | None:
    proxy = Proxies.of(environment).to(url)
    return proxy.url if proxy else None


@pytest.mark.parametrize(
    ("environment", "used"),
    [
        ({}, None),
        ({"HTTPS_PROXY": "http://p:3128"}, "http://p:3128"),
        ({"https_proxy": "http://p:3128"}, "http://p:3128"),
        ({"HTTPS_PROXY": "http://a:1", "https_proxy": "http://b:2"}, "http://a:1"),
        ({"HTTPS_PROXY": "", "https_proxy": "http://b:2"}, "http://b:2"),
        ({"HTTPS_PROXY": "p:3128"}, "http://p:3128"),
        ({"HTTPS_PROXY": "http://p"}, "http://p:80"),
        ({"HTTPS_PROXY": "https://p/"}, "https://p:443"),
        ({"HTTPS_PROXY": "http://[fd00::1]:3128"}, "http://[fd00::1]:3128"),
        ({"HTTP_PROXY": "http://p:3128"}, None),
        ({"ALL_PROXY": "http://p:3128"}, None),
        ({"HTTPS_PROXY": "http://p:3128", "NO_PROXY": "*"}, None),
        ({"HTTPS_PROXY": "http://p:3128", "no_proxy": "x, registry.acme.internal"}, None),
        ({"HTTPS_PROXY": "http://p:3128", "NO_PROXY": "x y"}, "http://p:3128"),
    ],
)
def test_the_variables_choose_the_proxy(environment: dict[str, str], used: str | None) -> None:
    assert to(**environment) == used


def test_plain_http_has_a_variable_of_its_own() -> None:
    assert to("http://registry:5000", HTTP_PROXY="http://p:1", HTTPS_PROXY="http://q:2") == (
        "http://p:1"
    )


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.9.9.9", "[::1]"])
def test_this_host_is_asked_straight(host: str) -> None:
    assert to(f"https://{host}:5000", HTTPS_PROXY="http://p:3128") is None


@pytest.mark.parametrize(
    "exception",
    [
        "registry.acme.internal",
        "REGISTRY.acme.internal",
        "registry.acme.internal:5000",
        "acme.internal",
        ".acme.internal",
        "*.acme.internal",
        "*",
    ],
)
def test_an_exception_names_a_host_or_all_below(exception: str) -> None:
    assert is_named(exception, "registry.acme.internal", 5000)


@pytest.mark.parametrize(
    "exception", ["registry.acme.internal:443", "cme.internal", "registry", "10.0.0.0/8", ".", ""]
)
def test_an_exception_names_nobody_else(exception: str) -> None:
    assert not is_named(exception, "registry.acme.internal", 5000)


@pytest.mark.parametrize(
    ("exception", "host"),
    [
        ("10.1.2.3", "10.1.2.3"),
        ("10.1.2.3:5000", "10.1.2.3"),
        ("10.0.0.0/8", "10.1.2.3"),
        ("fd00::/8", "fd00::1"),
        ("fd00::1", "fd00::1"),
        ("[fd00::1]", "fd00::1"),
        ("[fd00::1]:5000", "fd00::1"),
        ("*", "10.1.2.3"),
    ],
)
def test_an_exception_names_an_address_or_its_net(exception: str, host: str) -> None:
    assert is_named(exception, host, 5000)
    assert not is_named(exception, "192.0.2.1", 5000) or exception == "*"


@pytest.mark.parametrize(
    "value", ["socks5://u:canary-9@p:1080", "http://u:canary-9@", "http://p:canary-9", "http://[x"]
)
def test_what_is_no_proxy_is_refused_without_its_password(value: str) -> None:
    with pytest.raises(InputOutputFailed) as failed:
        Proxies.of({"HTTPS_PROXY": value})
    assert failed.value.code == "S1-R28"
    assert "`HTTPS_PROXY`" in failed.value.message
    assert "canary" not in failed.value.message + failed.value.hint


def test_user_and_password_are_kept_out_of_what_is_shown() -> None:
    proxy = Proxies.of({"https_proxy": "http://us%40er:canary-9@p:3128"}).to(REGISTRY)
    assert proxy is not None
    assert str(proxy) == "`http://p:3128` of `https_proxy`"
    assert "canary" not in repr(proxy)
    assert proxy.authorization == "Basic " + base64.b64encode(b"us@er:canary-9").decode()
