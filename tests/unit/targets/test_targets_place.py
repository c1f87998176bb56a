"""An app has the same place in both networks, so that nobody else is ever at its address."""

from ipaddress import IPv4Network

from s1ctl.targets.docker_objects import same_place

SITE = IPv4Network("10.97.0.0/24")


def test_an_address_keeps_its_number_in_the_second_network() -> None:
    assert same_place("10.97.0.7", SITE, IPv4Network("172.18.0.0/16")) == "172.18.0.7"
    assert same_place("10.97.1.9", IPv4Network("10.97.0.0/16"), IPv4Network("172.18.0.0/16")) == (
        "172.18.1.9"
    )


def test_a_number_that_the_second_network_lacks_or_leaves_to_others_is_not_fixed() -> None:
    small = IPv4Network("172.18.0.0/28")
    assert same_place("10.97.0.11", SITE, small) == "172.18.0.11"
    assert same_place("10.97.0.12", SITE, small) is None
    assert same_place("10.97.0.200", SITE, small) is None
