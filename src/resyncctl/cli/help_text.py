"""The overview that `resyncctl --help` prints, and the table of exit codes.

Promises: printing it imports nothing outside the standard library and `core.exit_codes`, so that it
appears at once. A test compares the overview with the commands that exist. Called by
`resyncctl.__main__` before anything else is loaded, and by `resyncctl help`.
"""

GROUPS: tuple[tuple[str, tuple[tuple[str, str], ...]], ...] = (
    (
        "Look (nothing is changed)",
        (
            ("status", "the board: gates, unfinished runs, last verdicts; also without a command"),
            ("watch", "follow the run that holds an account, from another terminal"),
            ("reconcile", "compare what the engine believes with what the exchange reports"),
            ("engine list", "the configured engines"),
            ("engine show", "what the engine believes"),
            ("venue show", "what the exchange reports"),
            ("doctor", "check configuration, keys, clock, exchange, records and checkpoints"),
            ("audit verify", "check that the records were not altered"),
        ),
    ),
    (
        "Make safe",
        (
            ("resync", "the whole way: close the gate, cancel, compare, prove, until SAFE"),
            ("cancel-all", "close the gate, cancel orders, and prove that they are gone"),
            ("flatten", "cancel, then reduce an account to flat, and prove it"),
            ("gate close", "tell the engine to stop sending orders"),
            ("gate show", "may the engine trade?"),
        ),
    ),
    (
        "Resume",
        (
            ("verify", "is it SAFE? every condition; --resume lets the engine trade, and watches"),
            ("gate open", "open the gate one step, on a fresh safety verdict"),
        ),
    ),
    (
        "Look back",
        (
            ("incident list", "the incidents of this host: each begins when a gate closes"),
            ("incident show", "figures, timeline, and what is not known of one incident"),
            ("incident note", "write something down about an incident"),
            ("incident export", "the draft of a post-mortem, as Markdown, HTML or JSON"),
            ("incident close", "end an incident by hand"),
        ),
    ),
    (
        "Set up and practise",
        (
            ("init", "write a first configuration; --demo for the practice exchange"),
            ("config check", "say what is wrong with the configuration"),
            ("config show", "every value in force, and where it comes from"),
            ("config schema", "the configuration's JSON Schema"),
            ("sim serve", "serve the practice exchange on this machine"),
            ("demo", "watch the main job on the practice exchange"),
        ),
    ),
    (
        "Reference",
        (
            ("help exit-codes", "what every exit code means"),
            ("schema", "the JSON Schema of a command's --json document"),
            ("completion", "completion scripts for bash, zsh and fish"),
        ),
    ),
)

_HEAD = """Usage: resyncctl [OPTIONS] COMMAND [ACCOUNT]...

Bring a live trading system back to a proven state after it lost touch with its exchange.
No account named means all configured accounts. `resyncctl COMMAND --help` explains a command.
"""

OPTIONS: tuple[tuple[str, str], ...] = (
    ("--config FILE", "the configuration file"),
    ("-o, --output FORM", "table, json, jsonl or nagios; --json is short for -o json"),
    ("-q, --quiet", "nothing when all is well, else one line"),
    ("-v, --verbose", "say more; -vv shows requests"),
    ("--color WHEN", "auto, always or never"),
    ("--no-input", "never ask; refuse instead"),
    ("--log-format FORM", "text or json, on standard error"),
    ("--version", "the version"),
    ("-h, --help", "this text"),
)


def overview() -> str:
    """Return the text of `resyncctl --help`."""
    lines = [_HEAD]
    for title, commands in GROUPS:
        lines.append(f"{title}:")
        lines += [f"  {name:<16}  {words}" for name, words in commands]
        lines.append("")
    lines.append("Options, before or after the command:")
    lines += [f"  {name:<18}  {words}" for name, words in OPTIONS]
    return "\n".join(lines) + "\n"


def exit_codes() -> str:
    """Return the table of exit codes."""
    from resyncctl.core.exit_codes import MEANINGS, NO_MUTATION, nagios_code

    lines = ["CODE  NAME           NAGIOS  MEANING"]
    lines += [
        f"{int(code):>4}  {code.name:<13}  {nagios_code(code):>6}  {meaning}"
        for code, meaning in MEANINGS.items()
    ]
    promised = ", ".join(str(int(code)) for code in sorted(NO_MUTATION))
    lines += [
        "",
        f"No request that changes an exchange has left this process after: {promised}.",
        "Several accounts: 13 before 1, 11, 12, 14, 10, 15, 0. Any other code is a failure.",
    ]
    return "\n".join(lines) + "\n"
