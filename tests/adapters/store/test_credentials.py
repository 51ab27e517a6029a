"""Keys: found where the configuration says, refused when others could read them, never shown."""

import copy
import os
import pickle
import sys
import traceback
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resyncctl.adapters.store.credentials import (
    Credentials,
    Surroundings,
    load_credentials,
)
from resyncctl.adapters.store.key_text import KeyTextError, parse_key_text
from resyncctl.adapters.store.redaction import make_redactor
from resyncctl.core.errors import ConfigurationError, CredentialsRefusedError, ResyncError

KEY, SECRET, PASS = "CANARY-KEY", "CANARY-SECRET", "CANARY-PASS"
PLAIN = {"api_key": KEY, "secret": SECRET}


@dataclass(frozen=True, slots=True, kw_only=True)
class Ref:
    """A reference as the settings make it."""

    source: str
    path: Path | None = None
    api_key_variable: str | None = None
    secret_variable: str | None = None
    password_variable: str | None = None
    argv: tuple[str, ...] = ()
    service: str | None = None
    username: str | None = None
    name: str | None = None


def load(reference: Ref, **environ: str) -> Credentials:
    return load_credentials("main", reference, Surroundings(environ=environ))


def key_file(folder: Path, text: str | bytes, mode: int = 0o600) -> Ref:
    path = folder / "main.key"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    path.chmod(mode)
    return Ref(source="file", path=path)


TOML = f'api_key = "{KEY}"\nsecret = "{SECRET}"\n'


@pytest.mark.parametrize(
    "text",
    [
        TOML,
        "\ufeff" + TOML,
        f"API_KEY={KEY}\n# a remark\n\nexport SECRET='{SECRET}'\n",
        f"apiKey = {KEY}\r\nsecret = {SECRET}\r\n",
        f'{{"apiKey": "{KEY}", "secret": "{SECRET}"}}',
        f"api_key = '''\n{KEY}\n'''\nsecret = \"\"\"\n{SECRET}\"\"\"",
    ],
)
def test_the_forms_of_a_key_file(tmp_path: Path, text: str) -> None:
    assert load(key_file(tmp_path, text)).reveal() == PLAIN


def test_other_parts_of_a_key(tmp_path: Path) -> None:
    text = TOML + f'passphrase = "{PASS}"\nuid = "123456"\n'
    found = load(key_file(tmp_path, text))
    assert found.reveal() == {**PLAIN, "password": PASS, "uid": "123456"}
    assert set(found.secrets()) == {KEY, SECRET, PASS}
    wallet = load(key_file(tmp_path, 'wallet_address = "0xabc"\nprivate_key = "CANARY-0xdef"'))
    assert wallet.secrets() == ("CANARY-0xdef",)


def test_credentials_do_not_show_themselves() -> None:
    credentials = Credentials(PLAIN)
    for text in (repr(credentials), str(credentials), f"{credentials}", f"{[credentials]!r}"):
        assert "CANARY" not in text
    for attempt in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="not written"):
            attempt(credentials)
    assert not hasattr(credentials, "__dict__")


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o666, 0o601, 0o620])
def test_a_file_that_others_can_read_or_change_is_refused(tmp_path: Path, mode: int) -> None:
    with pytest.raises(CredentialsRefusedError) as trouble:
        load(key_file(tmp_path, TOML, mode))
    assert "chmod 600" in (trouble.value.hint or "")
    assert trouble.value.place == str(tmp_path / "main.key")


@pytest.mark.parametrize("mode", [0o600, 0o400, 0o700])
def test_a_file_of_the_owner_alone_is_taken(tmp_path: Path, mode: int) -> None:
    assert load(key_file(tmp_path, TOML, mode)).reveal() == PLAIN


def test_a_symbolic_link_is_refused(tmp_path: Path) -> None:
    target = key_file(tmp_path, TOML).path
    assert target is not None
    link = tmp_path / "link.key"
    link.symlink_to(target)
    with pytest.raises(CredentialsRefusedError, match="symbolic link"):
        load(Ref(source="file", path=link))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_file_of_somebody_else_is_refused(tmp_path: Path) -> None:
    reference = key_file(tmp_path, TOML)
    assert reference.path is not None
    os.chown(reference.path, 12345, -1)
    with pytest.raises(CredentialsRefusedError, match="12345"):
        load(reference)


def test_a_pipe_or_a_folder_is_refused_without_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe", 0o600)
    for name in ("pipe", "."):
        with pytest.raises(CredentialsRefusedError, match="regular"):
            load(Ref(source="file", path=tmp_path / name))


def test_the_environment_is_read_by_name() -> None:
    reference = Ref(source="env", api_key_variable="K", secret_variable="S", password_variable="P")
    found = load(reference, K=KEY, S=f" {SECRET}\n", P=PASS, OTHER="x")
    assert found.reveal() == {**PLAIN, "password": PASS}
    with pytest.raises(ConfigurationError, match="variable S is not set"):
        load(reference, K=KEY, P=PASS)
    with pytest.raises(ConfigurationError, match="variable P is not set"):
        load(reference, K=KEY, S=SECRET, P="  ")


def script(text: str) -> tuple[str, ...]:
    return (sys.executable, "-c", text)


def test_a_command_prints_the_key() -> None:
    reference = Ref(source="command", argv=script(f"print({TOML!r})"))
    assert load(reference).reveal() == PLAIN


@pytest.mark.invariant("I45")
def test_no_shell_looks_at_a_command(tmp_path: Path) -> None:
    marker = tmp_path / "marker"
    text = "import sys; assert sys.argv[1].startswith('$('); print(" + repr(TOML) + ")"
    reference = Ref(source="command", argv=(*script(text), f"$(touch {marker}); touch {marker}"))
    assert load(reference).reveal() == PLAIN
    assert not marker.exists()


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (script(f"import sys; print({TOML!r}); sys.exit(3)"), "ended with 3"),
        (script(f"import sys; sys.stderr.write({SECRET!r}); print('no key')"), "line 1"),
        (("/no/such/command",), "cannot be run"),
        (("bad\0name",), "cannot be run"),
        ((), "empty"),
        (script("print('x' * 100_000)"), "too much"),
        (script("import os; os.write(1, b'\\xff\\xfe')"), "not text"),
    ],
)
def test_a_command_that_fails_says_so(
    argv: tuple[str, ...], words: str, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(ConfigurationError, match=words) as trouble:
        load(Ref(source="command", argv=argv))
    assert_silent(trouble.value, capfd)


def test_a_command_that_hangs_is_ended() -> None:
    reference = Ref(source="command", argv=script("import time; time.sleep(60)"))
    surroundings = Surroundings(environ={}, command_timeout_s=0.3)
    with pytest.raises(ConfigurationError, match=r"within 0\.3 s"):
        load_credentials("main", reference, surroundings)


def test_systemd_hands_over_a_file(tmp_path: Path) -> None:
    key_file(tmp_path, TOML, 0o440)
    reference = Ref(source="systemd", name="main.key")
    assert load(reference, CREDENTIALS_DIRECTORY=str(tmp_path)).reveal() == PLAIN
    with pytest.raises(ConfigurationError, match="CREDENTIALS_DIRECTORY"):
        load(reference)
    for name in ("../main.key", "/etc/passwd", "..", ""):
        with pytest.raises(ConfigurationError, match="no path"):
            load(Ref(source="systemd", name=name), CREDENTIALS_DIRECTORY=str(tmp_path / "x"))
    key_file(tmp_path, TOML, 0o444)
    with pytest.raises(CredentialsRefusedError):
        load(reference, CREDENTIALS_DIRECTORY=str(tmp_path))


def test_the_keyring_is_asked_by_service_and_user() -> None:
    asked: list[tuple[str, str]] = []

    def keyring(service: str, username: str) -> str | None:
        asked.append((service, username))
        return TOML if username == "main" else None

    surroundings = Surroundings(environ={}, keyring=keyring)
    reference = Ref(source="keyring", service="resyncctl", username="main")
    assert load_credentials("main", reference, surroundings).reveal() == PLAIN
    assert asked == [("resyncctl", "main")]
    missing = Ref(source="keyring", service="resyncctl", username="nobody")
    with pytest.raises(ConfigurationError, match="nothing under"):
        load_credentials("main", missing, surroundings)


def test_without_the_keyring_library_there_is_a_hint() -> None:
    with pytest.raises(ConfigurationError, match="not installed") as trouble:
        load(Ref(source="keyring", service="a", username="b"))
    assert trouble.value.hint


BAD = [
    "",
    "  \n",
    f"{SECRET}\n",
    f'api_key = "{KEY}"\nsceret = "{SECRET}"\n',
    f'api_key = "{KEY}"\n',
    f'secret = "{SECRET}"\n',
    f'api_key = "{KEY}"\nsecret = ""\n',
    f'api_key = "{KEY}"\nsecret = 12345\n',
    f'api_key = "{KEY}"\napiKey = "{KEY}"\nsecret = "{SECRET}"\n',
    f"api_key={KEY}\napi_key={KEY}\nsecret={SECRET}\n",
    f'{{"api_key": "{KEY}", "secret": "{SECRET}"',
    f'{{"api_key": "{KEY}", "secret": ["{SECRET}"]}}',
    f"api_key: {KEY}\nsecret: {SECRET}\n",
    f"[main]\napi_key = '{KEY}'\nsecret = '{SECRET}'\n",
]


def assert_silent(error: ResyncError, capfd: pytest.CaptureFixture[str]) -> None:
    printed = "".join(traceback.format_exception(error))
    out, err = capfd.readouterr()
    for text in (printed, error.message, error.hint or "", error.place or "", out, err):
        # The source lines of this test hold canaries themselves; a message may not.
        without_source = "\n".join(
            line for line in text.splitlines() if not line.startswith("    ")
        )
        assert "CANARY" not in without_source
    assert error.place
    assert "\n" not in error.message


@pytest.mark.parametrize("text", BAD)
def test_a_bad_key_file_says_where_and_shows_nothing(
    tmp_path: Path, text: str, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(ConfigurationError) as trouble:
        load(key_file(tmp_path, text))
    assert_silent(trouble.value, capfd)
    assert trouble.value.__cause__ is None


def test_a_missing_or_huge_or_binary_file(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    for reference in (
        Ref(source="file", path=tmp_path / "none.key"),
        key_file(tmp_path, "x" * 70_000),
        key_file(tmp_path, b"\xff\xfe" + SECRET.encode()),
        Ref(source="file"),
        Ref(source="carrier pigeon"),
    ):
        with pytest.raises(ConfigurationError) as trouble:
            load(reference)
        assert_silent(trouble.value, capfd)


@given(st.text(max_size=80))
def test_any_text_is_a_key_or_an_error(text: str) -> None:
    try:
        found = parse_key_text(text)
    except KeyTextError as trouble:
        assert len(text.strip()) < 4 or text.strip() not in str(trouble)  # noqa: PT017  # a law of both ways
    else:
        assert all(value for value in found.values())


@given(
    st.text(min_size=5, max_size=40).filter(lambda text: text.strip() == text),
    st.text(max_size=20),
    st.text(max_size=20),
)
def test_a_redacted_text_does_not_hold_the_secret(secret: str, before: str, after: str) -> None:
    if "(redacted)" in secret or secret in "(redacted)":
        return
    redact = make_redactor([secret])
    cleaned = redact(f"{before} {secret} {after}")
    assert secret not in cleaned.replace("(redacted)", "\0")


def test_short_secrets_do_not_shred_words() -> None:
    redact = make_redactor(["ab", "", "   "])
    assert redact("cab abc ab, ab") == "cab abc (redacted), (redacted)"


def test_a_secret_is_found_however_it_is_spelled() -> None:
    secret = 'a+/b="c\\ d\u00e4'
    redact = make_redactor([secret])
    import base64
    import json
    from urllib.parse import quote, quote_plus

    for spelling in (
        secret,
        quote(secret),
        quote(secret, safe=""),
        quote_plus(secret),
        json.dumps({"k": secret}),
        base64.b64encode(secret.encode()).decode(),
        secret.encode().hex(),
    ):
        assert "redacted" in redact(f"before {spelling} after"), spelling
