"""The questions of `init` and the file that comes out of them.

Promises: an existing file is replaced only when that was asked for, and a copy stays; what is
written was loaded once before, so it is known to be good. Called by the `init` verb.
"""

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from resyncctl.core.errors import (
    ConfigurationError,
    DeclinedError,
    RecordUnwritableError,
    RefusedError,
    UsageError,
)

if TYPE_CHECKING:
    from resyncctl.cli.invocation import Invocation
    from resyncctl.settings.template import AccountAnswers, Answers, EngineAnswers

_FLAG = "--demo, or write the file yourself (`resyncctl config schema` describes it)"
_VENUES = (
    ("binanceusdm", "Binance USD-M futures"),
    ("binance", "Binance spot, with or without USD-M futures"),
    ("binancecoinm", "Binance COIN-M futures"),
    ("other", "another exchange that ccxt knows"),
)


def refuse_to_replace(path: Path, *, overwrite: bool) -> None:
    """Refuse when the file exists and nobody said that it may be replaced.

    Raises:
        RefusedError: The file exists.
    """
    if path.exists() and not overwrite:
        raise RefusedError(
            "there is a configuration file already",
            place=str(path),
            hint="name another with --config, or pass --overwrite; a copy of the old one is kept",
        )


async def ask(invocation: "Invocation") -> "Answers":
    """Ask the operator about one account and its engine.

    Raises:
        NoTerminalError: There is nobody to ask.
        DeclinedError: The operator did not want the result.
    """
    from resyncctl.settings.template import Answers, render

    account = await _ask_account(invocation)
    engines = await _ask_engine(invocation, account.name)
    answers = Answers(accounts=(account,), engines=engines)
    invocation.stderr.write("\n" + render(answers) + "\n")
    prompter = invocation.prompter
    if not await prompter.confirm(
        f"Write this to {invocation.configuration_path}?", flag=_FLAG, default=True
    ):
        raise DeclinedError("nothing was written")
    return answers


async def _ask_account(invocation: "Invocation") -> "AccountAnswers":
    from resyncctl.settings.template import AccountAnswers

    prompter = invocation.prompter
    name = await prompter.text(
        "Name of the account (you will type it often)", flag=_FLAG, default="main"
    )
    venue = await prompter.choose("Exchange", _VENUES, default="binanceusdm", flag=_FLAG)
    if venue == "other":
        venue = await prompter.text("The exchange's name in ccxt", flag=_FLAG)
    scopes: tuple[str, ...] = ()
    if venue == "binance":
        which = await prompter.choose(
            "What does the account trade?",
            (("spot", "spot only"), ("spot linear", "spot and USD-M futures")),
            default="spot",
            flag=_FLAG,
        )
        scopes = tuple(which.split())
    mode = await prompter.choose(
        "Which world is it in?",
        (("live", "LIVE: real money"), ("testnet", "the exchange's own test network")),
        default="live",
        flag=_FLAG,
    )
    prefixes = await prompter.text(
        "How do your client order ids begin? (comma separated, empty: no prefix)", flag=_FLAG
    )
    return AccountAnswers(
        name=name,
        venue=venue,
        mode=mode,
        credentials=await _ask_credentials(invocation, name),
        scopes=scopes,
        client_id_prefixes=tuple(word.strip() for word in prefixes.split(",") if word.strip()),
    )


async def _ask_credentials(invocation: "Invocation", name: str) -> dict[str, str]:
    prompter = invocation.prompter
    source = await prompter.choose(
        "Where is the key kept? (give this tool its own key, without withdrawals)",
        (
            ("file", "in a file that only I can read"),
            ("systemd", "systemd hands it over (LoadCredential=)"),
            ("env", "in environment variables"),
            ("keyring", "in the desktop's keyring"),
        ),
        default="file",
        flag=_FLAG,
    )
    if source == "file":
        folder = invocation.configuration_path.parent
        path = await prompter.text("Key file", flag=_FLAG, default=str(folder / f"{name}.key"))
        return {"source": "file", "path": path}
    if source == "env":
        prefix = name.upper().replace("-", "_")
        return {"source": "env", "api_key": f"{prefix}_API_KEY", "secret": f"{prefix}_SECRET"}
    if source == "keyring":
        return {"source": "keyring", "service": "resyncctl", "username": name}
    return {"source": "systemd", "name": f"resyncctl-{name}"}


async def _ask_engine(invocation: "Invocation", account: str) -> "tuple[EngineAnswers, ...]":
    from resyncctl.settings.template import EngineAnswers

    prompter = invocation.prompter
    kind = await prompter.choose(
        "How does the trading engine keep its state?",
        (
            ("checkpoint", "it writes a checkpoint file with resyncctl's sdk"),
            ("command", "a command prints a checkpoint"),
            ("none", "not known yet"),
        ),
        default="checkpoint",
        flag=_FLAG,
    )
    if kind == "none":
        return ()
    name = await prompter.text("Name of the engine", flag=_FLAG, default="engine")
    checkpoint: str | None = None
    command: tuple[str, ...] = ()
    if kind == "checkpoint":
        checkpoint = await prompter.text(
            "Checkpoint file", flag=_FLAG, default=f"/var/lib/{name}/checkpoint.json"
        )
    else:
        words = await prompter.text("The command, words separated by spaces", flag=_FLAG)
        command = tuple(words.split())
    gate = await prompter.text(
        "Gate file that the engine reads before every order",
        flag=_FLAG,
        default=f"/var/lib/{name}/gate.json",
    )
    unit = await prompter.text("systemd unit that stops it (empty: by hand)", flag=_FLAG)
    return (
        EngineAnswers(
            name=name,
            accounts=(account,),
            checkpoint=checkpoint,
            command=command,
            gate_file=gate or None,
            control={"kind": "systemd", "unit": unit} if unit else {"kind": "manual"},
        ),
    )


def demo_answers(invocation: "Invocation", ready_file: Path | None) -> "Answers":
    """Return a configuration for the practice exchange that `sim serve` runs.

    Raises:
        UsageError: The practice exchange is not running, or its document cannot be read.
    """
    from resyncctl.cli.sim import ready_file_of
    from resyncctl.settings.template import AccountAnswers, Answers, EngineAnswers

    path = ready_file or ready_file_of(invocation)
    ready = _read_ready(path)
    folder = invocation.configuration_path.parent.absolute()
    accounts = tuple(
        AccountAnswers(
            name=str(account["name"]),
            venue="binance",
            mode="practice",
            credentials={"source": "file", "path": str(_key_file(folder, account))},
            scopes=("spot", "linear"),
            client_id_prefixes=("demo-",),
            practice_address=str(ready["address"]),
            practice_ca_file=str(ready["ca_file"]),
        )
        for account in ready["accounts"]
    )
    engines = tuple(
        EngineAnswers(
            name=f"{account.name}-engine",
            accounts=(account.name,),
            checkpoint=str(folder / f"{account.name}-checkpoint.json"),
            gate_file=str(folder / f"{account.name}-gate.json"),
        )
        for account in accounts
    )
    return Answers(accounts=accounts, engines=engines, state_dir=str(folder / "state"))


def _key_file(folder: Path, account: dict[str, Any]) -> Path:
    """Put the practice key and secret into one private file, and return it.

    Raises:
        UsageError: They cannot be read, or the file cannot be written.
    """
    path = folder / f"{account['name']}.key"
    try:
        lines = [
            f"{name} = {json.dumps(Path(account[source]).read_text().strip())}\n"
            for name, source in (("api_key", "api_key_file"), ("secret", "api_secret_file"))
        ]
        folder.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.writelines(lines)
    except (OSError, KeyError) as trouble:
        raise UsageError(
            f"the practice key cannot be put in place ({type(trouble).__name__})", place=str(path)
        ) from None
    return path


def _read_ready(path: Path) -> dict[str, Any]:
    try:
        ready = json.loads(path.read_text())
        if not (isinstance(ready["accounts"], list) and ready["address"] and ready["ca_file"]):
            raise KeyError("accounts")
    except (OSError, ValueError, KeyError, TypeError):
        raise UsageError(
            "the practice exchange's document cannot be read",
            place=str(path),
            hint="start the practice exchange first: `resyncctl sim serve`, in another terminal",
        ) from None
    return dict(ready)


def write(invocation: "Invocation", path: Path, answers: "Answers") -> tuple[list[Path], list[str]]:
    """Write the file, mode 0600, after it was loaded from a scratch copy without a complaint.

    Raises:
        RecordUnwritableError: It cannot be written.
        ConfigurationError: The answers do not make a good configuration.
    """
    from resyncctl.settings.load import load
    from resyncctl.settings.template import render

    text = render(answers)
    scratch = path.with_name(f".{path.name}.{os.getpid()}.new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        configuration = load(scratch, invocation.environ)
        notes = list(configuration.warnings)
        if path.exists():
            kept = path.with_name(f"{path.name}.old")
            path.replace(kept)
            notes.append(f"the old file is kept as {kept}")
        scratch.replace(path)
    except OSError as trouble:
        raise RecordUnwritableError(
            f"the configuration cannot be written: {trouble.strerror}", place=str(path)
        ) from None
    except ConfigurationError as error:
        raise ConfigurationError(
            f"these answers do not make a configuration: {error.message}", hint=error.hint
        ) from None
    finally:
        scratch.unlink(missing_ok=True)
    notes += [
        f"{account.credentials['path']} must hold api_key and secret, mode 0600"
        for account in answers.accounts
        if account.credentials.get("source") == "file" and account.mode != "practice"
    ]
    notes.append("next: resyncctl doctor")
    return [path], notes
