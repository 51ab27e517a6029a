"""The caller's side of the control plane, against a real practice server."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from resyncctl.simulator.certificates import Certificates, issue
from resyncctl.simulator.control_client import ControlRefused, PracticeControl
from resyncctl.simulator.server import PracticeServer, ServerOptions
from tests.simulator.served import TOKEN, ScriptedExchange


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return issue(tmp_path_factory.mktemp("certificates"))


@pytest.fixture
async def served(
    certificates: Certificates,
) -> AsyncIterator[tuple[ScriptedExchange, PracticeServer]]:
    exchange = ScriptedExchange()
    async with PracticeServer(exchange, ServerOptions(certificates, TOKEN)) as server:
        yield exchange, server


@pytest.fixture
def control(
    served: tuple[ScriptedExchange, PracticeServer], certificates: Certificates
) -> PracticeControl:
    return PracticeControl(served[1].address, certificates.ca_file, TOKEN)


async def test_it_calls_the_control_and_questions_the_log(
    served: tuple[ScriptedExchange, PracticeServer], control: PracticeControl
) -> None:
    result = await asyncio.to_thread(control.call, "deposit", account="main", amount="7")
    assert result == {"account": "main", "amount": "7"}
    assert served[0].control.calls == [result]
    assert await asyncio.to_thread(control.ask_log, "count") == 0
    health = await asyncio.to_thread(control.health)
    assert health == {"status": "ok", "now_ms": served[0].time_ms, "defects": []}
    served[0].control.defects.append("matching: stumbled")
    health = await asyncio.to_thread(control.health)
    assert (health["status"], health["defects"]) == ("defective", ["matching: stumbled"])
    assert await asyncio.to_thread(control.streams) == []
    methods = await asyncio.to_thread(control.methods)
    assert methods["call"]["deposit"]["meaning"] == "Put money into an account."
    assert "_hidden" not in methods["call"]


async def test_a_refusal_says_why_and_keeps_the_token_to_itself(
    control: PracticeControl, certificates: Certificates
) -> None:
    with pytest.raises(ControlRefused, match="422: LookupError: no such account: nobody"):
        await asyncio.to_thread(control.call, "deposit", account="nobody")
    stranger = PracticeControl(control.address, certificates.ca_file, "wrong-canary")
    with pytest.raises(ControlRefused) as caught:
        await asyncio.to_thread(stranger.call, "deposit", account="main")
    assert caught.value.status == 401
    assert "canary" not in str(caught.value) + repr(stranger)


async def test_it_trusts_only_the_practice_authority(
    control: PracticeControl, tmp_path: Path
) -> None:
    stranger = PracticeControl(control.address, issue(tmp_path).ca_file, TOKEN)
    with pytest.raises(OSError, match="CERTIFICATE_VERIFY_FAILED"):
        await asyncio.to_thread(stranger.health)


def test_it_is_made_from_a_ready_document(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("secret\n")
    ready = tmp_path / "ready.json"
    document = {
        "address": "127.0.0.1:2",
        "control_address": "127.0.0.1:1",
        "ca_file": str(tmp_path / "ca.pem"),
        "control_token_file": str(token),
    }
    ready.write_text(json.dumps(document))
    control = PracticeControl.from_ready_file(ready)
    assert (control.address, control.token) == ("127.0.0.1:1", "secret")
    assert control.ca_file == tmp_path / "ca.pem"
