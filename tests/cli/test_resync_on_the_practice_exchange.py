"""resync and verify over the served practice exchange, as an operator or a hook types them."""

import json

from resyncctl.core.exit_codes import ExitCode
from tests.cli.desk import Desk


def test_a_lost_account_becomes_safe_and_trades_again(desk: Desk) -> None:
    desk.write_checkpoint()
    desk.seed_orders(2)
    desk.seed_orders(2, market="usdm")
    common = ("resync", "--reason", "lost the stream", "--json")
    unproved = desk.run(*common)
    assert unproved.code == ExitCode.INCOMPLETE, unproved.out
    assert desk.open_orders() == []
    assert json.loads((desk.home / "gate.json").read_text())["state"] == "UNSAFE"
    ran = desk.run(*common, "--engine-stopped")
    document = ran.document()
    assert ran.code == 0, json.dumps(document, indent=1)
    assert document["status"] == "safe"
    assert document["evidence"][desk.account]["cancel_sent"] is False
    assert json.loads((desk.home / "gate.json").read_text())["state"] == "SAFE"
    assert desk.control.ask_log("orders_placed", account=desk.account) == []
    resumed = desk.run(
        "verify", "--resume", "--confirm", desk.account, "--no-watch", "--engine-stopped"
    )
    assert resumed.code == 0, resumed.out
    assert json.loads((desk.home / "gate.json").read_text())["state"] == "RUNNING"
    running = desk.run("verify")
    assert running.code == ExitCode.BLOCKED
    assert "the engine may trade" in running.out
    assert desk.run("audit", "verify").code == 0


def test_words_that_do_not_fit_together_are_refused(desk: Desk) -> None:
    for words in (
        ("verify", "--watch", "1m"),
        ("verify", "--resume", "--watch", "1m", "--no-watch"),
        ("resync",),
        ("resync", "--reason", " "),
        ("resync", "--reason", "x", "--until", "never"),
        ("resync", "--reason", "x", "--protective", "maybe"),
    ):
        ran = desk.run(*words)
        assert ran.code == ExitCode.USAGE, (words, ran.out, ran.err)
