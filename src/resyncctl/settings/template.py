"""Write a first configuration file with comments, from the answers that `init` gathered.

Promises: the text is valid TOML that `settings.load` accepts, its comments are the docstrings of
`settings.models`, and no secret is in it. Called by the `init` command only.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from resyncctl.settings import models
from resyncctl.settings.describe import fields_of


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountAnswers:
    """What the operator said about one account."""

    name: str
    venue: str
    mode: str
    credentials: Mapping[str, str | Sequence[str]]
    scopes: tuple[str, ...] = ()
    client_id_prefixes: tuple[str, ...] = ()
    practice_address: str | None = None
    practice_ca_file: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineAnswers:
    """What the operator said about one engine."""

    name: str
    accounts: tuple[str, ...]
    checkpoint: str | None = None
    command: tuple[str, ...] = ()
    gate_file: str | None = None
    control: Mapping[str, str] = field(default_factory=lambda: {"kind": "manual"})

    @property
    def silence(self) -> Mapping[str, str]:
        """How it can be known that the engine does not send, from what was answered."""
        if self.control["kind"] == "systemd":
            return {"kind": "systemd", "unit": self.control["unit"]}
        # What writes our checkpoints also acknowledges a closed gate.
        return {"kind": "acknowledgement" if self.checkpoint and self.gate_file else "none"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """Everything that `init` asked."""

    accounts: tuple[AccountAnswers, ...]
    engines: tuple[EngineAnswers, ...] = ()
    state_dir: str | None = None


def render(answers: Answers) -> str:
    """Return the configuration file as text."""
    parts = [_HEAD]
    if answers.state_dir:
        parts.append(f"state_dir = {_toml(answers.state_dir)}\n")
    parts.extend(_account(account) for account in answers.accounts)
    parts.extend(_engine(engine) for engine in answers.engines)
    parts.append(_policy())
    parts.append(_TAIL)
    return "\n".join(parts)


def _account(account: AccountAnswers) -> str:
    about = _about(models.Account)
    lines = [
        f"[accounts.{_key(account.name)}]",
        f"venue = {_toml(account.venue)}",
        f"# {about['mode']}",
        f"mode = {_toml(account.mode)}  # live | testnet | practice",
        f"# {about['credentials']}",
        f"credentials = {_inline(account.credentials)}",
        f"# {about['scopes']}",
        f"scopes = {_toml(account.scopes)}",
        f"# {about['client_id_prefixes']}",
        f"client_id_prefixes = {_toml(account.client_id_prefixes)}",
    ]
    if account.practice_address:
        lines.append(f"# {about['practice']}")
        where = {"address": account.practice_address, "ca_file": account.practice_ca_file or ""}
        lines.append(f"practice = {_inline(where)}")
    return "\n".join(lines) + "\n"


def _engine(engine: EngineAnswers) -> str:
    about = _about(models.Engine)
    state: dict[str, str | Sequence[str]] = (
        {"kind": "command", "argv": engine.command}
        if engine.command
        else {"kind": "checkpoint", "path": engine.checkpoint or ""}
    )
    lines = [
        f"[engines.{_key(engine.name)}]",
        f"# {about['accounts']}",
        f"accounts = {_toml(engine.accounts)}",
        f"# {about['state']}",
        f"state = {_inline(state)}",
        f"# {about['control']}",
        f"control = {_inline(engine.control)}",
    ]
    if engine.gate_file:
        lines.append(f"# {about['gate_file']}")
        lines.append(f"gate_file = {_toml(engine.gate_file)}")
    lines.append(f"# {about['silence']}")
    lines.append(f"silence = {_inline(engine.silence)}")
    return "\n".join(lines) + "\n"


def _policy() -> str:
    lines = ["[policy]", "# Uncomment a line to change it; the values shown are the defaults."]
    for doc in fields_of(models.PolicySettings):
        if doc.default == "not set":
            continue
        lines.append(f"# {doc.text}")
        lines.append(f"# {doc.key} = {doc.default}")
    return "\n".join(lines) + "\n"


def _about(model: type) -> dict[str, str]:
    return {doc.key: doc.text for doc in fields_of(model)}


def _key(name: str) -> str:
    plain = name.replace("-", "").replace("_", "")
    return name if plain.isascii() and plain.isalnum() else json.dumps(name)


def _inline(table: Mapping[str, str | Sequence[str]]) -> str:
    pairs = ", ".join(f"{_key(key)} = {_toml(value)}" for key, value in table.items())
    return f"{{ {pairs} }}"


def _toml(value: str | Sequence[str]) -> str:
    """Return text or a list of texts as TOML. JSON's escapes are a subset of TOML's."""
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    return "[" + ", ".join(json.dumps(one, ensure_ascii=False) for one in value) + "]"


_HEAD = """# Configuration of resyncctl. `resyncctl config check` reads it and says what is wrong.
# Secrets never stand here: an account only says where its key is kept.
# Relative paths start at the folder of this file.
"""

_TAIL = """# Whom to call when an account is blocked.
# [contacts.on-call]
# name = "..."
# reach = "..."
# severity = "major"

# A health-check service that raises an alarm when cron runs stop coming.
# [heartbeat]
# url = "https://..."

# Metrics for Prometheus' textfile collector.
# [metrics]
# textfile = "/var/lib/node_exporter/resyncctl.prom"
"""
