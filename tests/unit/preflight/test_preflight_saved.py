"""The file of `preflight --save`: it can be judged elsewhere, and no secret is in it."""

from s1ctl.masking.redact import masked
from s1ctl.preflight.saved import read_saved, write_saved
from s1ctl.site.facts import Fact, Facts
from tests.support.preflight import AT, make_needs


def test_what_looks_like_a_secret_or_is_known_is_masked_and_the_rest_is_as_it_was() -> None:
    texts = ["no way to https://bot:hunter2@registry.site/", {"said": "the word is canary-1f2e"}]
    value = {"reg.auth": {"tries": 3, "is_open": True, "said": texts}}
    facts = Facts(taken_at=AT.isoformat(), items={"reg.auth": Fact(value=value, source="registry")})
    needs = make_needs(problems=("canary-1f2e does not resolve",))
    raw = write_saved((), needs, facts, (), mask=lambda text: masked(text, "canary-1f2e"))
    saved = read_saved(raw, name="facts.json")
    shown = ["no way to https://bot:<***>@registry.site/", {"said": "the word is <***>"}]
    assert saved.facts.items["reg.auth"].value == {
        "reg.auth": {"tries": 3, "is_open": True, "said": shown}
    }
    assert saved.needs.problems == ("<***> does not resolve",)
    assert saved.needs.site.registry == needs.site.registry
