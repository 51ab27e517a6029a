"""The documents that are generated from the program, and the files that they are kept in.

Promises: every generated file has one source in the code; `tests/cli/test_documents.py` compares
them. Run `python -m resyncctl.cli.documents` in a checkout to write them anew.
"""

import sys
from pathlib import Path
from typing import Any

from resyncctl.core.exit_codes import MEANINGS, NO_MUTATION, nagios_code


def documents() -> dict[str, str]:
    """Return every generated file: its path in the checkout and its text."""
    from resyncctl.cli.completions import script
    from resyncctl.screen.schemas import rendered
    from resyncctl.settings.describe import reference_page

    return {
        "docs/exit-codes.md": exit_codes_page(),
        "docs/command-line.md": command_line_page(),
        "docs/configuration.md": reference_page(),
        "completions/resyncctl.bash": script("bash"),
        "completions/_resyncctl": script("zsh"),
        "completions/resyncctl.fish": script("fish"),
        **{f"src/resyncctl/schemas/{name}": text for name, text in rendered().items()},
    }


def exit_codes_page() -> str:
    """Return `docs/exit-codes.md`."""
    rows = [
        f"| {int(code)} | {code.name} | {meaning} | {nagios_code(code)} |"
        + (" nothing was changed |" if code in NO_MUTATION else "  |")
        for code, meaning in MEANINGS.items()
    ]
    return _EXIT_HEAD + "\n".join(rows) + "\n" + _EXIT_TAIL


_EXIT_HEAD = """# Exit codes

<!-- Generated from src/resyncctl/core/exit_codes.py; a test compares them. -->

Exit codes are an interface: scripts, cron and monitoring rely on them. A code that is not in this
table is a failure. With `-o nagios` the process ends with the code of the Nagios column.

| code | name | meaning | Nagios | promise |
| --- | --- | --- | --- | --- |
"""
_EXIT_TAIL = """
"Nothing was changed" means: no request that changes an exchange has left this process. It is
tested at the transport. The gate may have been closed all the same, because closing it only
reduces risk.

Several accounts: 13 comes before 1, 11, 12, 14, 10, 15, 0. When some accounts failed outright and
others did not, the whole is 14, unless something worse is among them.

The first Ctrl-C (or SIGTERM) starts nothing new, finishes what is under way and tells what is
proved; the second stops at once (130 or 143) and leaves the account UNSAFE. A hang-up ends nothing.
"""


def command_line_page() -> str:
    """Return `docs/command-line.md`: every command with its options, as its help tells them."""
    from resyncctl.cli.commands import application

    parts = [_COMMAND_HEAD]
    for name, command in sorted(application().commands.items()):
        verbs = getattr(command, "commands", None)
        if verbs is None:
            parts.append(_command(name, command))
        else:
            parts += [_command(f"{name} {verb}", child) for verb, child in sorted(verbs.items())]
    return "\n".join(parts)


_SHARED = frozenset({"config", "output", "as_json", "quiet", "verbose", "color"}) | {
    "no_input",
    "log_format",
}
_COMMAND_HEAD = """# The command line

<!-- Generated from the commands' own help; a test compares them. -->

`resyncctl [OPTIONS] COMMAND [ACCOUNT]...`. No account named means all configured accounts. Bare
`resyncctl` shows the status board. Every command also takes `--config FILE`,
`-o table|json|jsonl|nagios`, `--json`, `-q`, `-v`, `--color auto|always|never`, `--no-input` and
`--log-format text|json`, before or after its name. Data goes to standard output, talk and logs to
standard error. The exit codes are explained in [exit-codes.md](exit-codes.md), the documents that
`--json` prints in [json-output.md](json-output.md).
"""


def _command(name: str, command: Any) -> str:  # Typer's own class has no public type
    lines = [f"## `resyncctl {name}`", ""]
    paragraphs = " ".join((command.help or "").split("\n")).split("  ")
    lines += [f"{paragraph.strip()}\n" for paragraph in paragraphs if paragraph.strip()]
    own = [one for one in command.params if one.name not in _SHARED and one.name != "help"]
    if own:
        lines += ["| option | meaning |", "| --- | --- |"]
        lines += [f"| {_spelled(one)} | {(one.help or '').replace('|', '/')} |" for one in own]
        lines.append("")
    return "\n".join(lines)


def _spelled(parameter: Any) -> str:  # Typer's own class has no public type
    if parameter.param_type_name == "argument":
        return f"`{parameter.metavar or parameter.name.upper()}`"
    names = ", ".join([*parameter.opts, *parameter.secondary_opts])
    takes_value = not (parameter.is_flag or getattr(parameter, "count", False))
    return f"`{names} {parameter.metavar or 'TEXT'}`" if takes_value else f"`{names}`"


def write_all(root: Path) -> list[Path]:
    """Write every generated file below the checkout's root; return those that changed."""
    changed = []
    for name, text in documents().items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists() or path.read_text() != text:
            path.write_text(text)
            changed.append(path)
    return changed


if __name__ == "__main__":
    for written in write_all(Path(__file__).parents[3]):
        sys.stdout.write(f"{written}\n")
