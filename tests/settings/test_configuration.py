"""The configuration file: what it becomes, and how a mistake in it is told."""

import re
import tomllib
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resyncctl.core.errors import ConfigurationError
from resyncctl.core.policy import Policy
from resyncctl.settings import describe, paths, template
from resyncctl.settings.durations import format_duration, parse_duration_ms
from resyncctl.settings.load import load, read_settings, read_source
from resyncctl.settings.locate import key_lines
from resyncctl.settings.models import PolicySettings
from resyncctl.settings.origin import entries
from resyncctl.settings.specs import Configuration, Mode

CANARY = "CANARYsecretVALUE"

GOOD = """\
state_dir = "state"

[accounts.main]
venue = "binance"
mode = "practice"
credentials = { source = "file", path = "main.key" }
scopes = ["spot", "linear"]
client_id_prefixes = ["mm1-"]
practice = { address = "127.0.0.1:18443", ca_file = "ca.pem" }

[accounts.hedge]
venue = "bybit"
credentials = { source = "env", api_key = "HEDGE_KEY", secret = "HEDGE_SECRET" }

[engines.mm1]
accounts = ["main"]
state = { kind = "checkpoint", path = "checkpoint.json" }
control = { kind = "systemd", unit = "mm1.service" }
gate_file = "/run/mm1/gate.json"

[policy]
lookback = "48h"
balance_cap = "50"
dust = { BNB = "0.001" }

[contacts.on-call]
name = "the desk"
reach = "ext. 4711"
severity = "major"

[heartbeat]
url = "https://ping.example/secret-uuid"
"""


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "resyncctl.toml"
    path.write_text(text)
    return path


def loaded(tmp_path: Path, text: str) -> Configuration:
    return load(written(tmp_path, text), {"HOME": "/home/operator"})


def complaint(tmp_path: Path, text: str) -> ConfigurationError:
    with pytest.raises(ConfigurationError) as caught:
        loaded(tmp_path, text)
    shown = f"{caught.value} {caught.value.place} {caught.value.hint}"
    assert CANARY not in shown
    return caught.value


def test_a_good_file_becomes_core_values(tmp_path: Path) -> None:
    configuration = loaded(tmp_path, GOOD)
    main = configuration.accounts["main"]
    assert main.mode is Mode.PRACTICE
    assert main.banner == "PRACTICE"
    assert main.credentials.path == tmp_path / "main.key"
    assert main.practice is not None
    assert (main.practice.host, main.practice.port) == ("127.0.0.1", 18443)
    assert main.practice.ca_file == tmp_path / "ca.pem"
    assert configuration.accounts["hedge"].mode is Mode.LIVE
    assert configuration.accounts["hedge"].credentials.api_key_variable == "HEDGE_KEY"
    engine = configuration.engine_of("main")
    assert engine is not None
    assert engine.state.path == tmp_path / "checkpoint.json"
    assert engine.gate_file == Path("/run/mm1/gate.json")
    assert engine.control.describe() == "systemd mm1.service"
    assert configuration.engine_of("hedge") is None
    assert configuration.policy.lookback_ms == 48 * 3600 * 1000
    assert configuration.policy.balance_cap == Decimal(50)
    assert configuration.policy.dust == (("BNB", Decimal("0.001")),)
    assert configuration.policy_of("main").client_id_prefixes == ("mm1-",)
    assert configuration.policy_of("hedge").client_id_prefixes == ()
    assert configuration.state_dir == tmp_path / "state"
    assert configuration.contacts[0].role == "on-call"


def test_what_is_not_configured_keeps_the_core_s_default(tmp_path: Path) -> None:
    assert loaded(tmp_path, "").policy == Policy()


def test_the_file_warns_about_what_it_cannot_do(tmp_path: Path) -> None:
    warnings = "\n".join(loaded(tmp_path, GOOD).warnings)
    assert "accounts.hedge: a key in the environment" in warnings
    assert "accounts.hedge: no engine is configured" in warnings


BAD = [
    (
        'path = "main.key"',
        f'pth = "{CANARY}"',
        ":6",
        "accounts.main.credentials.pth: there is no such key",
        "`path`",
    ),
    ('source = "file"', f'source = "{CANARY}"', ":6", "none of the kinds", '"file"'),
    ('source = "file", ', "", ":6", "the key source is missing", None),
    ('"48h"', "48", ":22", "write a number with its unit", None),
    ('"48h"', f'"{CANARY}"', ":22", "write a number with its unit", None),
    ('"50"', "0.5", ":23", "in quotes", None),
    ('"50"', f'"{CANARY}"', ":23", "exact number", None),
    ('"50"', '"-1"', ":23", "must not be negative", None),
    ('"practice"\n', f'"{CANARY}"\n', ":5", "accounts.main.mode: the value is none", '"testnet"'),
    ("[policy]", "[polcy]", ":21", "polcy: there is no such key", "`policy`"),
    ("lookback", "lookbak", ":22", "policy.lookbak: there is no such key", "`lookback`"),
    ("[accounts.hedge]", "[acounts.hedge]", ":11", "acounts: there is no such key", "`accounts`"),
    ('["main"]', '["mian"]', ":16", "an account is not configured", "main, hedge"),
    ('["main"]', '"main"', ":16", "write a list", None),
    ('"127.0.0.1:18443"', f'"{CANARY}"', ":9", "write host and port", None),
    ('"https://ping.example/secret-uuid"', f'"{CANARY}"', ":32", "web address", None),
    ('mode = "practice"\n', "", ":8", "not in practice mode", 'mode = "practice"'),
    (
        'practice = { address = "127.0.0.1:18443", ca_file = "ca.pem" }\n',
        "",
        ":3",
        "needs the address",
        "practice =",
    ),
    ("[accounts.hedge]", '[accounts."he dge"]', ":11", "may not hold spaces", None),
    ("[engines.mm1]", '[metrics]\ntextfile = "x.txt"\n[engines.mm1]', ":16", ".prom", None),
    (
        "[contacts",
        '[engines.two]\naccounts = ["main"]\nstate = { kind = "command", argv = ["x"] }\n[contacts',
        ":27",
        "already belongs to the engine mm1",
        "sub-account",
    ),
    ("gate_file", "gate_fle", ":19", "engines.mm1.gate_fle: there is no such key", "`gate_file`"),
    ('name = "the desk"\n', "", ":26", "contacts.on-call.name: a required key is missing", None),
]


@pytest.mark.parametrize(("old", "new", "line", "words", "hint"), BAD)
def test_a_mistake_is_told_with_its_place_and_without_its_value(
    *, tmp_path: Path, old: str, new: str, line: str, words: str, hint: str | None
) -> None:
    assert old in GOOD
    error = complaint(tmp_path, GOOD.replace(old, new, 1))
    assert (error.place or "").endswith(f"resyncctl.toml{line}")
    assert words in error.message
    if hint:
        assert hint in (error.hint or "")


@pytest.mark.parametrize(
    ("text", "place"),
    [
        (f"a = {CANARY}\n", ":1:5"),
        (f'a = "x"\n{CANARY}\n', ":2:"),
        (f'a = "{CANARY}\n', ":1:"),
        (f"[t]\n{CANARY} = 1\n{CANARY} = 2\n", ":3:"),
        ("[t]\n[t]\n", ":2:"),
        ("a = [1,\n", ":"),
    ],
)
def test_a_text_that_is_no_toml_is_told_with_line_and_column(
    tmp_path: Path, text: str, place: str
) -> None:
    error = complaint(tmp_path, text)
    assert "not valid TOML" in error.message
    assert place in (error.place or "").removeprefix(str(tmp_path))


def test_a_missing_file_names_the_command_that_writes_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="no configuration file") as caught:
        load(tmp_path / "nowhere.toml", {})
    assert "resyncctl init" in (caught.value.hint or "")


def test_a_file_of_bytes_is_told(tmp_path: Path) -> None:
    path = tmp_path / "resyncctl.toml"
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigurationError, match="UTF-8"):
        load(path, {})


def test_a_variable_wins_over_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RESYNCCTL_POLICY__LOOKBACK", "1h")
    assert loaded(tmp_path, GOOD).policy.lookback_ms == 3600 * 1000
    shown = entries(
        read_settings(read_source(written(tmp_path, GOOD))), read_source(written(tmp_path, GOOD))
    )
    found = {entry.key: entry for entry in shown}
    assert found["policy.lookback"].origin == "RESYNCCTL_POLICY__LOOKBACK"
    assert found["policy.balance_cap"].origin.endswith("resyncctl.toml:23")
    assert found["policy.settle_delay"].origin == "default"
    assert found["policy.settle_delay"].value == "3s"


def test_a_misspelt_variable_is_told_by_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RESYNCCTL_HEARTBEAT__TIMOUT", CANARY)
    error = complaint(tmp_path, GOOD.split("[heartbeat]", maxsplit=1)[0])
    assert "heartbeat" in error.message
    assert "RESYNCCTL_HEARTBEAT" in (error.place or "")


def test_a_bad_variable_is_blamed_and_not_the_line_that_it_overrides(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = GOOD.replace("[policy]", '[policy]\nsettle_delay = "2s"')
    assert loaded(tmp_path, text).policy.settle_delay_ms == 2_000
    monkeypatch.setenv("RESYNCCTL_POLICY__SETTLE_DELAY", "soon")
    error = complaint(tmp_path, text)
    assert error.place == "the variable RESYNCCTL_POLICY__SETTLE_DELAY"
    assert "soon" not in str(error)


def test_show_masks_what_may_be_secret(tmp_path: Path) -> None:
    text = GOOD.replace(
        'credentials = { source = "env", api_key = "HEDGE_KEY", secret = "HEDGE_SECRET" }',
        f'credentials = {{ source = "command", argv = ["pass", "{CANARY}"] }}',
    )
    source = read_source(written(tmp_path, text))
    shown = "\n".join(f"{one.key}={one.value}" for one in entries(read_settings(source), source))
    assert CANARY not in shown
    assert "secret-uuid" not in shown
    assert "https://ping.example/(masked)" in shown


def test_key_lines_ignore_what_only_looks_like_a_key() -> None:
    text = (
        '# [not] = 1\nnote = """\n[nor.this]\nx = 1\n"""\n[a."b c"] # [x]\n'
        'c.d = { e = "f = {", g = [1,\n 2], h = { i = 1 } }\nj = 1\n'
    )
    assert tomllib.loads(text)
    lines = key_lines(text)
    assert lines[("a", "b c")] == 6
    assert lines[("a", "b c", "c", "d", "e")] == 7
    assert lines[("a", "b c", "c", "d", "h")] == 8
    assert lines[("a", "b c", "c", "d", "h", "i")] == 8
    assert lines[("a", "b c", "j")] == 9
    assert ("nor",) not in lines
    assert ("not",) not in lines


@given(st.integers(min_value=0, max_value=10**12))
def test_a_duration_survives_being_written(duration_ms: int) -> None:
    assert parse_duration_ms(format_duration(duration_ms)) == duration_ms


@pytest.mark.parametrize("text", ["", "5", "5 s", "-5s", "s", "1.5h", "5sx", "h5"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="unit"):
        parse_duration_ms(text)


def test_the_first_file_of_init_can_be_loaded(tmp_path: Path) -> None:
    answers = template.Answers(
        accounts=(
            template.AccountAnswers(
                name="odd name?".replace(" ", "_"),
                venue="binanceusdm",
                mode="practice",
                credentials={"source": "file", "path": 'a "quoted" \\ path.key'},
                scopes=("linear",),
                client_id_prefixes=("mm1-", "ü-"),
                practice_address="127.0.0.1:1",
                practice_ca_file="ca.pem",
            ),
        ),
        engines=(
            template.EngineAnswers(
                name="mm1", accounts=("odd_name?",), checkpoint="c.json", gate_file="g.json"
            ),
        ),
    )
    text = template.render(answers)
    configuration = loaded(tmp_path, text)
    account = configuration.accounts["odd_name?"]
    assert account.credentials.path == tmp_path / 'a "quoted" \\ path.key'
    assert account.client_id_prefixes == ("mm1-", "ü-")
    assert configuration.policy == Policy()
    # The defaults that the comments show are the true ones.
    keys = "|".join(doc.key for doc in describe.fields_of(PolicySettings))
    uncommented = re.sub(rf"^# (({keys}) = )", r"\1", text, flags=re.MULTILINE)
    assert uncommented.count("# ") < text.count("# ") - 15
    assert loaded(tmp_path, uncommented).policy == Policy()


def test_the_reference_page_is_current() -> None:
    page = Path(__file__).parents[2] / "docs" / "configuration.md"
    assert page.read_text() == describe.reference_page()


def test_every_key_has_a_sentence() -> None:
    for _heading, _sentence, kinds in describe.SECTIONS:
        for model in kinds:
            for doc in describe.fields_of(model):
                assert doc.text.endswith((".", "`.", ". ")) or doc.text, (
                    f"{model.__name__}.{doc.key}"
                )
                assert doc.text


def test_the_schema_names_durations_as_text() -> None:
    schema = describe.json_schema()
    assert schema["properties"]["policy"]
    policy = schema["$defs"]["PolicySettings"]["properties"]["lookback"]
    assert {"type": "string"} in policy["anyOf"]


def test_a_shortened_proof_is_warned_of_unless_it_is_practice(tmp_path: Path) -> None:
    hurry = GOOD.replace("[policy]", '[policy]\nstaleness_horizon = "1s"')
    assert "proves less" in "\n".join(loaded(tmp_path, hurry).warnings)
    practice_only = hurry.split("[accounts.hedge]", maxsplit=1)
    rest = practice_only[1].split("[engines", maxsplit=1)[1]
    alone = f"{practice_only[0]}[engines{rest}"
    assert "proves less" not in "\n".join(loaded(tmp_path, alone).warnings)


@pytest.mark.parametrize(
    ("environ", "config", "state", "cache"),
    [
        (
            {"HOME": "/h"},
            "/h/.config/resyncctl/resyncctl.toml",
            "/h/.local/state/resyncctl",
            "/h/.cache/resyncctl",
        ),
        (
            {
                "HOME": "/h",
                "XDG_CONFIG_HOME": "/c",
                "XDG_STATE_HOME": "/s",
                "XDG_CACHE_HOME": "/k",
            },
            "/c/resyncctl/resyncctl.toml",
            "/s/resyncctl",
            "/k/resyncctl",
        ),
        (
            {
                "HOME": "/h",
                "XDG_STATE_HOME": "relative",
                "STATE_DIRECTORY": "/var/lib/resyncctl:/var/lib/other",
                "CACHE_DIRECTORY": "/var/cache/resyncctl",
                "RESYNCCTL_CONFIG": "~/mine.toml",
            },
            "/h/mine.toml",
            "/var/lib/resyncctl",
            "/var/cache/resyncctl",
        ),
    ],
)
def test_places_follow_the_environment(
    environ: dict[str, str], config: str, state: str, cache: str
) -> None:
    assert str(paths.configuration_file(environ)) == config
    assert str(paths.state_directory(environ)) == state
    assert str(paths.cache_directory(environ)) == cache
    assert str(paths.expand("x", Path("/base"), environ)) == "/base/x"
    assert str(paths.expand("/x", Path("/base"), environ)) == "/x"


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ('{ source = "systemd", name = "key" }', "systemd credential key"),
        ('{ source = "keyring", service = "s", username = "u" }', "keyring s/u"),
        ('{ source = "command", argv = ["pass", "show", "x"] }', "command pass"),
        ('{ source = "env", api_key = "A", secret = "B" }', "environment A, B"),
    ],
)
def test_every_source_of_a_key_is_told_without_the_key(
    tmp_path: Path, written: str, told: str
) -> None:
    text = f'[accounts.a]\nvenue = "okx"\ncredentials = {written}\n'
    assert loaded(tmp_path, text).accounts["a"].credentials.describe() == told


@pytest.mark.parametrize(
    ("control", "told"),
    [
        ('{ kind = "docker", container = "bot" }', "docker bot"),
        ('{ kind = "command", stop = ["pkill", "bot"] }', "command pkill bot"),
        ('{ kind = "manual" }', "manual"),
    ],
)
def test_every_way_to_stop_an_engine_is_told(tmp_path: Path, control: str, told: str) -> None:
    text = GOOD.replace('{ kind = "systemd", unit = "mm1.service" }', control)
    assert loaded(tmp_path, text).engines["mm1"].control.describe() == told


def test_a_variable_that_sets_nothing_is_told(tmp_path: Path) -> None:
    environ = {
        "HOME": "/h",
        "RESYNCCTL_POLCY__LOOKBACK": CANARY,
        "RESYNCCTL_CONFIG": "/x",
        "RESYNCCTL_POLICY__LOOKBACK": "1h",
        "OTHER": "x",
    }
    told = "\n".join(load(written(tmp_path, GOOD), environ).warnings)
    assert "RESYNCCTL_POLCY__LOOKBACK sets nothing; did you mean RESYNCCTL_POLICY?" in told
    assert "RESYNCCTL_CONFIG" not in told
    assert CANARY not in told
