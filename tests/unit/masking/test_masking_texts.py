"""What is masked, in which forms, and what stays readable."""

import base64
import json
import re
import shlex
from collections import Counter
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from s1ctl.masking.encodings import forms_of
from s1ctl.masking.keys import is_sensitive, mask_document
from s1ctl.masking.redact import Known, Redactor, Stream
from s1ctl.masking.rules import MASK

CANARY = "c4n/ary:\"o'ne@+ü"
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9P"
PEM = "-----BEGIN PRIVATE KEY-----\nMIGHAgEAMBMGByqGSM49AgEG\n-----END PRIVATE KEY-----"


def masked(text: str, *known: str) -> str:
    forms = {form for value in known for form in forms_of(value)}
    return Stream(Redactor(Known(forms))).mask(text)


FORMS = {
    "as it is": CANARY,
    "base64": base64.b64encode(CANARY.encode()).decode(),
    "base64, one byte before it": base64.b64encode(b"x" + CANARY.encode() + b"yz").decode(),
    "base64, two bytes before it": base64.b64encode(b"xy" + CANARY.encode() + b"z").decode(),
    "basic": base64.b64encode(f"loader:{CANARY}".encode()).decode(),
    "base64url": base64.urlsafe_b64encode(f"~~~?{CANARY}".encode()).decode(),
    "in a URL": quote(CANARY, safe=""),
    "in a URL, small letters": re.sub("%..", lambda e: e[0].lower(), quote(CANARY, safe="")),
    "in a query": quote_plus(CANARY),
    "in JSON": json.dumps(CANARY),
    "in JSON, not ASCII": json.dumps(CANARY, ensure_ascii=False),
    "in JSON within JSON": json.dumps(json.dumps(CANARY)),
    "hex": CANARY.encode().hex(),
    "HEX": CANARY.encode().hex().upper(),
    "for a shell": shlex.quote(CANARY),
    "in SQL": CANARY.replace("'", "''"),
    "as Python shows it": repr(CANARY),
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_a_known_value_is_masked_in_every_form(form: str) -> None:
    text = masked(f"before {form} after\n", CANARY)
    left = text.removeprefix("before ").removesuffix(" after\n")
    assert MASK in left
    assert len(left) < len(MASK) + 20
    core = CANARY.encode()
    for rest in (left, *_decoded(left)):
        assert core[3:9] not in rest.encode()


def _decoded(text: str) -> list[str]:
    try:
        return [base64.b64decode(text).decode("latin-1"), bytes.fromhex(text).decode("latin-1")]
    except ValueError:
        return []


def test_the_longest_of_known_values_is_masked_first() -> None:
    assert masked("abcdef-ghijkl\n", "abcdef", "abcdef-ghijkl") == f"{MASK}\n"


def test_short_values_are_masked_only_beside_a_key_word() -> None:
    assert masked("the abc of it, password=abc\n", "abc") == f"the abc of it, password={MASK}\n"


def test_each_line_of_a_secret_of_several_lines_is_known() -> None:
    assert masked("x second line y\n", "first line\nsecond line\n") == f"x {MASK} y\n"


def test_of_a_connection_string_only_the_password_is_masked() -> None:
    url = "postgresql://s1:p%40ss/w:ord@db.site:5432/main"
    shown = f"postgresql://s1:{MASK}@db.site:5432/main\n"
    assert masked(url + "\n", url) == shown
    assert masked(url + "\n") == shown
    assert masked("p@ss/w:ord came back\n", url) == f"{MASK} came back\n"


SECRETS = {
    "json": ('{"db_password": "hunter two", "host": "db"}', "hunter two"),
    "json in json": ('{"line": "{\\"api_key\\": \\"hunter two\\"}"}', "hunter two"),
    "python": ("{'client_secret': 'hunter two', 'port': 5432}", "hunter two"),
    "yaml": ("  smtp_password: hunter two", "hunter two"),
    "environment": ("REDIS_PASSWORD=hunter2", "hunter2"),
    "quoted environment": ('PGPASSWORD="hunter two"', "hunter two"),
    "item of a list": ('["A=1", "DB_PASSWORD=hunter two"]', "hunter two"),
    "logfmt": ("level=info token=hunter2 host=db", "hunter2"),
    "dsn": ("host=db user=s1 password=hunter2 dbname=main", "hunter2"),
    "pair": ('{"name": "SMTP_PASSWORD", "value": "hunter2"}', "hunter2"),
    "pair over lines": ('"name": "X_TOKEN",\n  "value": "hunter2"', "hunter2"),
    "pair turned round": ('{"value": "hunter2", "name": "SMTP_PASSWORD"}', "hunter2"),
    "header": ("Authorization: Bearer hunter2hunter2xyz", "hunter2hunter2xyz"),
    "bearer": ("sent bearer hunter2hunter2xyz to it", "hunter2hunter2xyz"),
    "basic": ("sent Basic bG9hZGVyOmh1bnRlcjI= to it", "bG9hZGVyOmh1bnRlcjI="),
    "cookie": ("Set-Cookie: sid=hunter2; Path=/", "hunter2"),
    "jwt": (f"got {JWT} back", JWT),
    "url": ("to amqp://u:hun/t:er@2@mq.site:5672/v", "hun/t:er@2"),
    "argument": ("run --password hunter2 --port 1", "hunter2"),
    "argument with =": ("run --token=hunter2 --port 1", "hunter2"),
    "arguments as a list": ('["x", "--password", "hunter2"]', "hunter2"),
    "mysql": ("mysqldump -u root -phunter2 main", "hunter2"),
    "sql": ("ALTER ROLE s1 PASSWORD 'hun''ter 2';", "hun''ter 2"),
    "cloud": ("key AKIAIOSFODNN7EXAMPLE used", "AKIAIOSFODNN7EXAMPLE"),
    "git": ("ghp_abcdefghijklmnopqrstuvwxyz0123456789", "abcdefghijklmnopqrstuvwxyz"),
    "private key": (PEM, "MIGHAgEAMBMGByqGSM49AgEG"),
    "private key in json": (json.dumps({"k": PEM}), "MIGHAgEAMBMGByqGSM49AgEG"),
    "near a word": ("the token is 9f8e7d6c5b4a39281706f5e4 now", "9f8e7d6c5b4a39281706f5e4"),
}


@pytest.mark.parametrize(("text", "secret"), SECRETS.values(), ids=SECRETS)
def test_what_looks_like_a_secret_is_masked(text: str, secret: str) -> None:
    shown = masked(text + "\n")
    assert secret not in shown
    assert MASK in shown
    assert masked(shown) == shown


INNOCENT = [
    "password_encryption = scram-sha-256",
    '"secretName": "tls-web"',
    "authentication_timeout: 60",
    "tokenizer=bert",
    "idle_in_transaction_session_timeout=30000",
    "author: somebody",
    "Basic authentication is wanted",
    'Bearer realm="https://registry/token"',
    "postgresql://db.site:5432/main",
    "docker://127.0.0.1:5000/depot/web@sha256:" + "0" * 64,
    "password: file:/etc/s1ctl/registry.password",
    '"passed": 12, "is_private": false, "pass": 3',
    "sha256:9f8e7d6c5b4a39281706f5e49f8e7d6c5b4a39281706f5e49f8e7d6c5b4a3928",
    "FATAL: password authentication failed for user `s1`",
]  # fmt: skip


@pytest.mark.parametrize("text", INNOCENT)
def test_what_is_no_secret_stays_readable(text: str) -> None:
    assert masked(text + "\n") == text + "\n"


def test_documents_are_masked_by_their_structure() -> None:
    counts: Counter[str] = Counter()
    data = {
        "settings": {"secrets": {"token": {"version": 1, "fingerprint": "ab" * 32}}},
        "env": [{"name": "SMTP_PASSWORD", "value": "hunter2"}, {"name": "HOST", "value": "db"}],
        "args": ["run", "--password", "hunter2", "--port", "1"],
        "api_key": ["one secret", "two secrets"],
        "pin_token": 4711,
        "password": "env:PASSWORD",
    }
    shown = mask_document(data, counts)
    assert shown == {
        "settings": data["settings"],
        "env": [{"name": "SMTP_PASSWORD", "value": MASK}, {"name": "HOST", "value": "db"}],
        "args": ["run", "--password", MASK, "--port", "1"],
        "api_key": [MASK, MASK],
        "pin_token": MASK,
        "password": "env:PASSWORD",
    }
    assert counts == {"key": 5}


def test_a_private_key_that_spans_what_is_read_at_once_is_masked() -> None:
    stream = Stream(Redactor(Known(())))
    first, second = stream.mask(PEM[:40] + "\n"), stream.mask(PEM[40:] + "\nafter\n")
    assert "AgEG" not in first + second
    assert second.endswith("after\n")


@pytest.mark.parametrize("cut", [10, 28, 40])
def test_the_end_of_a_private_key_is_masked_without_its_beginning(cut: int) -> None:
    text = f"{PEM[cut:]}, and after\n".replace("PRIVATE KEY", "OPENSSH PRIVATE KEY")
    assert "qGSM49AgEG" in text
    assert Redactor(Known(())).leak(text) == "private-key"
    assert masked(text) == f"{MASK}, and after\n"
    assert masked(f"before\n{PEM}\nafter\n") == f"before\n{MASK}\nafter\n"


def test_a_weak_known_value_is_not_found_in_the_mask() -> None:
    assert len(MASK) < 6
    assert masked("masked secret\n", "masked", "secret") == f"{MASK} {MASK}\n"


def test_names_are_judged_by_their_words() -> None:
    assert all(map(is_sensitive, ["PGPASSWORD", "x-api-key", "sessionid", "client.secret"]))
    assert not any(map(is_sensitive, ["secretName", "tokenizer", "password_file", "compass"]))


WORDS = st.sampled_from(
    ["password=", '"token": "', "://u:", "@h/", "'", '"', " ", "\n", "Bearer ", "Basic ", "<***>",
     "PASSWORD '", "eyJ", ".", "-----BEGIN PRIVATE KEY-----", "-----END PRIVATE KEY-----",
     "s3cr3t-v", "cookie: ", "AKIAIOSFODNN7EXAMPLE", ":", "=", "x"]
)  # fmt: skip


@settings(max_examples=400, deadline=None)
@given(st.lists(WORDS | st.text(max_size=12), max_size=30))
def test_nothing_that_was_masked_is_taken_for_a_leak(parts: list[str]) -> None:
    redactor = Redactor(Known(forms_of("s3cr3t-v")))
    text = "".join(parts) + "\n"
    shown = Stream(redactor).mask(text)
    assert redactor.leak(shown) is None
    assert "s3cr3t-v" not in shown
