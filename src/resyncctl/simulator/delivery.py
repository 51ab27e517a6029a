"""How an answer reaches the client: whole, late, cut, reset, dropped, or never.

Promises: by the time this module is called the exchange has decided and executed; nothing here can
undo that. Every fate is applied to the real connection, so that a client sees the true symptom of
its transport and not an imitation. A fate that ends the connection ends only that connection.

Called by the server for every REST answer.
"""

import asyncio
import socket
import struct

from aiohttp import web

from resyncctl.simulator.exchange_info import Compressor
from resyncctl.simulator.wire import Reply

_COMPRESS_FROM = 860
_OF_TRANSPORT = frozenset(
    {"content-length", "content-encoding", "transfer-encoding", "connection", "date"}
)
_LINGER_NOTHING = struct.pack("ii", 1, 0)


async def deliver(
    request: web.BaseRequest, reply: Reply, compressor: Compressor
) -> web.StreamResponse:
    """Given the exchange's reply, deliver it as its `delivery` says.

    The returned response is either still to be sent, or belongs to a connection that has ended.
    """
    if reply.delivery.delay_ms:
        await asyncio.sleep(reply.delivery.delay_ms / 1000)
    match reply.delivery.fate:
        case "whole":
            return _whole(request, reply, compressor)
        case "truncate":
            return await _truncate(request, reply)
        case "never":
            await asyncio.Event().wait()
        case "drop":
            if request.transport is not None:
                request.transport.close()
        case "reset":
            _reset(request)
    return web.Response(status=reply.status)


def _whole(request: web.BaseRequest, reply: Reply, compressor: Compressor) -> web.Response:
    headers = _own_headers(reply)
    body = reply.body
    wants_gzip = "gzip" in request.headers.get("Accept-Encoding", "")
    if wants_gzip and len(body) >= _COMPRESS_FROM:
        body = compressor.gzip(body)
        headers["Content-Encoding"] = "gzip"
    return web.Response(status=reply.status, headers=headers, body=body)


async def _truncate(request: web.BaseRequest, reply: Reply) -> web.StreamResponse:
    """Promise the full length, send half of it, and close."""
    response = web.StreamResponse(status=reply.status, headers=_own_headers(reply))
    response.content_length = max(len(reply.body), 2)
    await response.prepare(request)
    await response.write(reply.body[: len(reply.body) // 2])
    if request.transport is not None:
        request.transport.close()
    return response


def _own_headers(reply: Reply) -> dict[str, str]:
    """Return the headers without those that describe the transport: this module writes them."""
    return {
        name: value for name, value in reply.headers.items() if name.lower() not in _OF_TRANSPORT
    }


def _reset(request: web.BaseRequest) -> None:
    """Close the connection with a reset: what was not sent is discarded, the client gets a RST."""
    if request.transport is None:
        return
    wire = request.transport.get_extra_info("socket")
    if wire is not None:
        wire.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_NOTHING)
    request.transport.abort()
