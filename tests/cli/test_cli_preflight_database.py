"""What preflight finds at databases and in the site's state, each provoked for real."""

import json
import stat
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from s1ctl.ledger.ledger import open_ledger
from s1ctl.oci.digest import Digest
from tests.support.cases import CASES, stand_of, words_of
from tests.support.checked import CheckedSite, advice, seen
from tests.support.ledgers import NOW
from tests.support.loads import Said, s1ctl, watched
from tests.support.postgres import Database
from tests.support.registry import free_port
from tests.support.require import need
from tests.support.standing import (
    FAR,
    FIRST,
    SECOND,
    THIRD,
    Loaded,
    StandingSite,
    load_releases,
    stand_at,
    truth_of,
)

TO = ("--to", SECOND)


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Loaded:
    need("registry")
    return load_releases(tmp_path_factory.mktemp("loaded"))


@pytest.fixture
def site(loaded: Loaded, postgres: Database, tmp_path: Path) -> StandingSite:
    stand_at(postgres, first_two(loaded))
    return StandingSite(tmp_path / "site", loaded, postgres)


def first_two(loaded: Loaded) -> dict[str, Digest]:
    return {name: loaded.digests[name] for name in ("0001", "0002")}


def checked(site: StandingSite, only: str, *words: object) -> Said:
    """Check twice, and see that neither the site nor the database was changed."""
    said = watched(lambda: {"database": truth_of(site.database)}, lambda: site.check(only, *words))
    assert said.after == said.before
    return said


def test_a_site_whose_database_is_as_it_should_be(site: StandingSite) -> None:
    said = checked(site, "pg", *TO, "--only", "state.hop", "--only", "state.migrations")
    assert said.outcome == (0, "")
    assert {one["outcome"] for one in said.document["findings"]} == {"pass"}
    texts = {one["id"]: one["observed"]["text"] for one in said.document["findings"]}
    assert texts["state.hop"] == f"the path is {FIRST} -> {SECOND}"
    assert texts["state.migrations"] == "console: at 0002"
    assert "connections taken" in texts["pg.capacity"]


def test_a_database_that_does_not_take_us(site: StandingSite) -> None:
    refused = site.url.read_text()
    site.url.write_text(f"postgresql://console:canary-8a@127.0.0.1:{free_port()}/console")
    said = checked(site, "pg", *TO)
    said.proves(CASES["preflight-database-down"])
    assert "it cannot be reached: Connection refused" in seen(said)
    assert "check that the server runs" in advice(said)
    skipped = [one for one in said.document["findings"] if one["outcome"] == "skip"]
    assert {one["observed"]["text"] for one in skipped} == {"needs pg.connect"}

    site.url.write_text(refused.replace(site.database.password, "canary-8a"))
    said = checked(site, "pg", *TO)
    said.proves(CASES["preflight-database-password"])
    assert "refuses the user or the password" in seen(said)
    assert "canary" not in said.text

    alone = checked(site, "pg.activity", *TO)
    alone.proves(CASES["preflight-database-unasked"])
    assert "S1-D02" in seen(alone)
    assert "s1ctl preflight --only pg.connect" in advice(alone)


def test_a_server_of_a_version_that_the_release_does_not_run_on(site: StandingSite) -> None:
    said = checked(site, "pg", "--to", THIRD)
    said.proves(CASES["preflight-database-version"])
    assert "console: PostgreSQL 15." in seen(said)
    assert "Bring the server to >=99" in advice(said)


def test_rights_that_our_user_lacks(site: StandingSite) -> None:
    database, user = site.database, site.database.user
    database.execute("CREATE TABLE reports (id int)", admin=True)
    said = checked(site, "pg", *TO)
    said.proves(CASES["preflight-database-owner"])
    assert f"`{user}` does not own `public.reports`, which is `postgres`'s" in seen(said)
    command = f'ALTER TABLE "public"."reports" OWNER TO "{user}";'
    assert command in advice(said)
    database.execute(command, admin=True)

    database.execute(f"ALTER DATABASE {database.name} OWNER TO postgres", admin=True)
    said = checked(site, "pg", *TO)
    said.proves(CASES["preflight-database-rights"])
    assert "no CREATE on it" in seen(said)
    fix = said.document["findings"][2]["fix"]
    while fix:  # what is said to be run is run, until nothing is lacking
        database.execute(fix["command"], admin=True)
        said = checked(site, "pg", *TO)
        fix = said.document["findings"][2]["fix"]
    assert said.outcome == (0, "")


@contextmanager
def transaction(
    database: Database, *statements: str, application: str = "report-worker"
) -> Iterator[int]:
    """Keep a transaction open as a report would, and say its pid."""
    with closing(database.connect(application)) as connection:
        cursor = connection.cursor()
        for statement in statements:
            cursor.execute(statement)
        yield connection.info.backend_pid


@contextmanager
def later(database: Database) -> Iterator[None]:
    """Let our user's sessions see a clock that is five minutes ahead, so that nobody waits."""
    database.execute("CREATE SCHEMA ahead")
    database.execute(
        "CREATE FUNCTION ahead.clock_timestamp() RETURNS timestamptz LANGUAGE sql"
        " AS $$ SELECT pg_catalog.clock_timestamp() + interval '5 minutes' $$"
    )
    alter = f"ALTER ROLE {database.user}"
    database.execute(f"{alter} SET search_path = ahead, pg_catalog, public")
    yield
    database.execute(f"{alter} RESET search_path")
    database.execute("DROP SCHEMA ahead CASCADE")


def test_transactions_that_would_block_a_migration(site: StandingSite) -> None:
    database = site.database
    with transaction(database, "SELECT 'canary-7c' FROM events") as pid:
        assert checked(site, "pg.activity", *TO).outcome == (0, "")
        with later(database):
            said = checked(site, "pg.activity", *TO)
            said.proves(CASES["preflight-long-transaction"])
            text = seen(said)
            assert f"pid {pid} (user `{database.user}`, application `report-worker`)" in text
            assert "idle in transaction for 30" in text
            assert "locks on `events`" in text.replace("public.", "")
            assert f"SELECT pg_terminate_backend({pid});" in advice(said)
            assert "canary" not in said.text
    with transaction(database, "SELECT 1"), later(database):
        said = checked(site, "pg.activity", *TO, "--strict")
        said.proves(CASES["preflight-idle-transaction"])
        assert "idle in transaction for 30" in seen(said)
        assert checked(site, "pg.activity", *TO).status == 0
    database.execute("BEGIN; LOCK events; PREPARE TRANSACTION 'till-42'")
    said = checked(site, "pg.activity", *TO)
    said.proves(CASES["preflight-prepared-transaction"])
    assert "the prepared transaction `till-42`" in seen(said)
    (command,) = (one["fix"]["command"] for one in said.document["findings"])
    database.execute(command)
    assert checked(site, "pg.activity", *TO).outcome == (0, "")


def test_another_users_transaction_whose_age_may_not_be_seen(site: StandingSite) -> None:
    with closing(site.database.connect("backup-tool", admin=True)) as other:
        other.cursor().execute("SELECT FROM events")
        said = checked(site, "pg.activity", *TO, "--strict")
        said.proves(CASES["preflight-foreign-transaction"])
        assert "application `backup-tool`" in seen(said)
        assert "since when may not be seen by our user" in seen(said)
        (finding,) = said.document["findings"]
        site.database.execute(finding["fix"]["command"], admin=True)
        assert checked(site, "pg.activity", *TO, "--strict").outcome == (0, "")


def test_a_server_without_connections_to_spare(site: StandingSite) -> None:
    site.database.execute(f"ALTER ROLE {site.database.user} CONNECTION LIMIT 5", admin=True)
    said = checked(site, "pg.capacity", *TO)
    said.proves(CASES["preflight-few-connections"])
    assert "1 of 5 connections of the user are taken, 4 are left" in seen(said)
    assert "raise the limit" in advice(said)


def test_a_database_that_is_not_where_the_installed_release_left_it(
    site: StandingSite, loaded: Loaded
) -> None:
    two = first_two(loaded)
    stand_at(site.database, {"0001": two["0001"]})
    said = checked(site, "state.migrations", *TO)
    said.proves(CASES["preflight-migrations-behind"])
    assert "behind: it is at 0001, and release 1.0.0 has expand 0002" in seen(said)
    assert "older backup was restored" in advice(said)

    stand_at(site.database, {**two, "0003": loaded.digests["0003"]})
    known = checked(site, "state.migrations", *TO)
    assert known.outcome == (0, "")
    assert "at 0003 of 1.1.0" in known.document["findings"][0]["observed"]["text"]

    stand_at(site.database, {**two, "0107": Digest.of(b"of a release that is not here")})
    said = checked(site, "state.migrations", *TO)
    said.proves(CASES["preflight-migrations-ahead"])
    assert "ahead: it has 0107, which no release that is loaded here has" in seen(said)
    assert "s1ctl load FILE" in advice(said)

    stand_at(site.database, {"0001": two["0001"], "beef": Digest.of(b"another branch")})
    said = checked(site, "state.migrations", *TO)
    said.proves(CASES["preflight-migrations-unknown"])
    assert "unknown: revision beef is not of the lineage of release 1.0.0" in seen(said)
    assert "call the vendor" in advice(said)

    stand_at(site.database, two, head="0001")
    said = checked(site, "state.migrations", *TO)
    said.proves(CASES["preflight-head-moved"])
    assert "head is 0001; the last revision that s1ctl applied is 0002" in seen(said)

    stand_at(site.database, {**two, "0001": Digest.of(b"another text")})
    said = checked(site, "state.migrations", *TO)
    said.proves(CASES["preflight-revision-changed"])
    assert "revision 0001 was applied with another text" in seen(said)


def test_a_path_that_is_not_there(site: StandingSite) -> None:
    said = checked(site, "state.hop", "--to", THIRD)
    said.proves(CASES["preflight-hop-missing"])
    assert seen(said) == "the path 1.0.0 -> 1.2.0 -> 2.0.0 needs what is not loaded: 1.2.0"
    assert "s1ctl load FILE" in advice(said)

    said = checked(site, "state.hop")
    said.proves(CASES["preflight-no-path"])
    assert f"no allowed path leads from 1.0.0 to {FAR}" in seen(said)

    said = s1ctl("--site", site.file, "preflight", "--to", "7.7.7")
    assert (said.status, said.document["error"]["code"]) == (22, "S1-N02")


def test_a_site_with_nothing_installed_says_why_it_skips(tmp_path: Path) -> None:
    site = CheckedSite(tmp_path, socket=tmp_path / "none.sock")
    said = site.check("pg", *("--only", "state.hop", "--only", "state.migrations"))
    assert said.status == 0
    found = {one["id"]: one["observed"]["text"] for one in said.document["findings"]}
    assert set(found.values()) == {
        "the release has no database", "nothing is installed yet", "needs pg.connect"
    }  # fmt: skip


def test_a_database_that_is_given_is_looked_at_before_the_first_install(site: StandingSite) -> None:
    with open_ledger(site.state) as ledger:
        ledger.releases.record_uninstalled(at=NOW)
    said = checked(site, "pg", *TO, "--only", "state.hop", "--only", "state.migrations")
    found = {one["id"]: one["outcome"] for one in said.document["findings"]}
    asked = ("pg.connect", "pg.version", "pg.privileges", "pg.capacity")
    assert {found[name] for name in asked} == {"pass"}
    assert {found[name] for name in found.keys() - set(asked)} == {"skip"}
    site.database.execute("CREATE TABLE reports (id int)", admin=True)
    assert checked(site, "pg", *TO).outcome == (3, "pg.privileges")


# what preflight is told


def waive(site: StandingSite, *words: object, only: str = "pg.capacity") -> Said:
    return s1ctl("--site", site.file, "preflight", *TO, "--only", only, *words)


def test_a_waived_failure_stops_nothing_for_that_release_alone(site: StandingSite) -> None:
    few = f"ALTER ROLE {site.database.user} CONNECTION LIMIT 5"
    site.database.execute(few, admin=True)
    said = watched(
        lambda: {"database": truth_of(site.database)},
        lambda: waive(site, "--waive", "pg.capacity=one user, and nobody else is let in"),
    )
    said.proves(CASES["preflight-waived"])
    (finding,) = said.document["findings"]
    assert (finding["outcome"], finding["waived"]["reason"]) == (
        "skip",
        "one user, and nobody else is let in",
    )
    assert "4 are left" in finding["observed"]["text"]
    with open_ledger(site.state) as ledger:
        (waiver,) = ledger.waivers.all()
    assert (waiver.check, waiver.version, waiver.outcome) == ("pg.capacity", SECOND, "fail")
    assert waiver.observed == finding["observed"]["text"]
    assert waiver.who
    assert said.document["waivers"][0]["reason"] == waiver.reason
    again = waive(site)
    assert again.status == 0
    text = s1ctl("--site", site.file, "preflight", *TO, "--only", "pg.capacity", output="text").text
    assert "waived pg.capacity: " in text
    assert "1 waived" in text
    other = s1ctl("--site", site.file, "preflight", "--to", THIRD, "--only", "pg.capacity")
    assert other.outcome == (3, "pg.capacity")


def test_a_waiver_covers_nothing_worse_than_what_was_seen(site: StandingSite) -> None:
    with transaction(site.database, "SELECT 1"), later(site.database):
        said = waive(site, "--strict", "--waive", "pg.activity=it is ours", only="pg.activity")
        assert said.status == 0
    with transaction(site.database, "SELECT FROM events"), later(site.database):
        said = waive(site, only="pg.activity")
        assert said.outcome == CASES["preflight-worse-than-waived"].outcome


def test_a_waiver_of_one_session_covers_no_other(site: StandingSite) -> None:
    hold = "SELECT FROM events"
    with later(site.database):
        with transaction(site.database, hold):
            assert waive(site, "--waive", "pg.activity=ours", only="pg.activity").status == 0
        with transaction(site.database, hold):
            assert waive(site, only="pg.activity").status == 0  # the report, begun anew
        with transaction(site.database, hold, application="stranger"):
            said = waive(site, only="pg.activity")
    assert said.outcome == CASES["preflight-waived-for-another"].outcome
    now, _, then = seen(said).partition("was for something else:")
    assert "application `stranger`" in now
    assert "application `report-worker`" in then


def test_what_passes_needs_no_waiver(site: StandingSite) -> None:
    before = stand_of(site.state)
    said = waive(site, "--waive", "pg.capacity=just in case")
    assert (said.status, said.document["waivers"]) == (0, [])
    assert stand_of(site.state) == before


@pytest.mark.parametrize(
    ("given", "case", "words"),
    [
        ("state.lock=I know", CASES["preflight-not-waivable"], "cannot be waived"),
        ("pg=I know", CASES["preflight-group-waived"], "`pg` is no check; groups"),
        ("pg.*=I know", CASES["preflight-group-waived"], "`pg.*` is no check"),
        ("pg.capacity", CASES["preflight-no-reason"], "lacks the check or the reason"),
        ("pg.capacity= ", CASES["preflight-no-reason"], "lacks the check or the reason"),
        (
            "host.memory=I know",
            CASES["preflight-waived-unseen"],
            "not among the checks of this run",
        ),
    ],
)
def test_a_waiver_that_cannot_be(site: StandingSite, given: str, case, words: str) -> None:
    said = watched(lambda: words_of(site.state), lambda: waive(site, "--waive", given))
    said.proves(case)
    assert words in said.message


def test_facts_are_saved_without_a_secret_and_judged_elsewhere(
    site: StandingSite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.file.write_text(site.file.read_text() + "values: {console_password: canary-5e5e5e5e}\n")
    site.database.execute(f"ALTER ROLE {site.database.user} CONNECTION LIMIT 5", admin=True)
    facts = tmp_path / "facts.json"
    only = ("--only", "pg", "--only", "state", "--skip", "state.health")
    line = ("--site", site.file, "preflight", *TO, *only)
    there = s1ctl(*line, "--save", facts)
    assert there.outcome[0] == 3
    text = facts.read_text()
    assert stat.S_IMODE(facts.stat().st_mode) == 0o600
    assert site.database.password not in text
    assert "canary" not in text
    assert str(site.url) not in text

    site.database.execute(f"ALTER ROLE {site.database.user} NOLOGIN", admin=True)
    monkeypatch.setenv("S1CTL_SITE", str(tmp_path / "nowhere.yaml"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "elsewhere"))
    here = s1ctl("preflight", "--from", facts)
    assert here.status == there.status
    assert here.document["findings"] == there.document["findings"]
    told = s1ctl("preflight", "--from", facts, output="text").text
    assert "facts of checked, taken at 20" in told
    none = s1ctl("preflight", "--from", facts, "--only", "host")
    assert (none.status, none.document["error"]["code"]) == (2, "S1-U21")
    one = s1ctl("preflight", "--from", facts, "--only", "pg.version")
    assert [f["id"] for f in one.document["findings"]] == ["pg.version"]
    assert not (tmp_path / "elsewhere").exists()

    before = facts.read_bytes()
    again = s1ctl(*line, "--save", facts)
    assert again.outcome == CASES["preflight-facts-there"].outcome
    assert f"`{facts}` is there already" in again.message
    assert facts.read_bytes() == before
    beside = s1ctl("preflight", "--from", facts, "--waive", "pg.capacity=I know")
    assert beside.outcome == CASES["preflight-waived-elsewhere"].outcome


def spoil(text: str, how: str) -> str:
    if how == "cut":
        return text[: len(text) // 2]
    if how == "twice":
        return text.replace('"format": 1', '"format": 1, "format": 1', 1)
    document = json.loads(text)
    fact = document["facts"]["items"]["pg.capacity"]
    places = {
        "key": (fact, "unknown", 1),
        "needs": (document["needs"], "postgresql", "newest"),
        "need": (document["needs"], "whim", 1),
        "value": (fact, "value", {"console": {"reason": None}}),
        "maker": (document, "s1ctl", "0.0.1"),
    }
    place, key, value = places[how]
    place[key] = value
    return json.dumps(document, indent=1)


@pytest.mark.parametrize(
    ("how", "case", "words"),
    [
        ("cut", CASES["preflight-facts-spoiled"], "at `line "),
        ("twice", CASES["preflight-facts-spoiled"], "`format` occurs twice"),
        ("key", CASES["preflight-facts-spoiled"], "$.facts.items"),
        ("needs", CASES["preflight-facts-spoiled"], "at `$.needs.postgresql`: `newest`"),
        ("need", CASES["preflight-facts-spoiled"], "at `$.needs.whim`: unknown key"),
        ("value", CASES["preflight-facts-spoiled"], "`$.facts.items.pg.capacity.value`"),
        ("maker", CASES["preflight-facts-of-another"], "saved by s1ctl 0.0.1"),
    ],
)
def test_a_file_of_facts_that_cannot_be_judged(
    site: StandingSite, tmp_path: Path, how: str, case, words: str
) -> None:
    facts, bad = tmp_path / "facts.json", tmp_path / "bad.json"
    assert waive(site, "--save", facts).status == 0
    bad.write_text(spoil(facts.read_text(), how))
    said = s1ctl("preflight", "--from", bad)
    assert said.outcome == case.outcome
    assert words in said.message
    assert str(bad) in said.message


def test_groups_and_checks_are_left_out(site: StandingSite) -> None:
    said = waive(site, "--skip", "pg.capacity", "--skip", "pg.version", only="pg")
    found = [one["id"] for one in said.document["findings"]]
    assert found == ["pg.connect", "pg.privileges", "pg.activity"]
    said = waive(site, "--skip", "pg", only="pg.capacity")
    assert said.outcome == CASES["preflight-nothing-left"].outcome
    assert "no check of `pg.capacity` is left without `pg`" in said.message


def test_doctor_looks_at_the_installed_release(site: StandingSite) -> None:
    said = s1ctl(
        "--site", site.file, "preflight", "--for", "doctor", "--skip", "host", "--skip", "reg",
        "--skip", "clock", "--skip", "cert", "--skip", "engine", "--skip", "state.health",
        "--skip", "state.settings",
    )  # fmt: skip
    assert said.status == 0, said.text
    found = {one["id"]: one["outcome"] for one in said.document["findings"]}
    assert {"pg.connect", "pg.capacity", "state.migrations"} <= found.keys()
    assert "state.hop" not in found
