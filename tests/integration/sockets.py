"""WebSocket for tests: strangers that speak it (python3-websockets, npm `ws`), and its handshake and frames by hand for what
no library would say."""

import asyncio
import base64
import contextlib
import hashlib
import json
import os
import ssl
import struct
import threading

from holdfast import ROOT, WORKLOAD_UID, Gone, run_as
from strangers import Service, node_folder, tool

with contextlib.suppress(ImportError):      # who needs it says so, by name
    import websockets

KEY = "dGhlIHNhbXBsZSBub25jZQ=="            # RFC 6455 section 1.3, with what accepts it
ACCEPT = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
MOST = 64 << 20                             # of one message


# ---- by hand

def fields(**changed):
    """Those of a good handshake; key="x" says another, key=None leaves one out."""
    told = {"upgrade": "websocket", "connection": "Upgrade", "version": "13", "key": KEY, **changed}
    names = {"upgrade": "Upgrade", "connection": "Connection", "version": "Sec-WebSocket-Version", "key": "Sec-WebSocket-Key"}
    return [(names[k], v) for k, v in told.items() if v is not None]


def head(path="/chat", host="allowed.test", more=(), **changed):
    lines = [f"GET {path} HTTP/1.1", f"Host: {host}"] + [f"{n}: {v}" for n, v in [*fields(**changed), *more]]
    return "\r\n".join(lines).encode() + b"\r\n\r\n"


def accept_of(key):
    return base64.b64encode(hashlib.sha1((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest()).decode()


def acceptance(request, accept=None, glued=b"", more=()):
    """The service's word for it."""
    told = [("Upgrade", "websocket"), ("Connection", "Upgrade"),
            ("Sec-WebSocket-Accept", accept or accept_of(request.get("sec-websocket-key"))), *more]
    return b"HTTP/1.1 101 Switching Protocols\r\n" + "".join(f"{n}: {v}\r\n" for n, v in told).encode() + b"\r\n" + glued


def frame(payload, opcode=2, mask=b"\0\0\0\0"):
    """A client's, whole; a mask of zeros leaves it legible."""
    n = len(payload)
    size = bytes([0x80 | n]) if n < 126 else b"\xfe" + struct.pack(">H", n) if n < 65536 else b"\xff" + struct.pack(">Q", n)
    return bytes([0x80 | opcode]) + size + mask + payload


def read_frame(connection):
    """(opcode, payload) of a client's, at a service by hand; None once it has closed."""
    def take(n):
        while len(connection.pending) < n:
            connection.pending += connection._receive()
        data = bytes(connection.pending[:n])
        del connection.pending[:n]
        return data
    try:
        first, n = take(2)
        n = n & 127
        n = n if n < 126 else struct.unpack(">H", take(2))[0] if n == 126 else struct.unpack(">Q", take(8))[0]
        mask = take(4)
        return first & 15, bytes(b ^ mask[i % 4] for i, b in enumerate(take(n)))
    except Gone:
        return None


def answer_frame(opcode, payload):
    """An echo, as a service says it; of a close, too."""
    assert len(payload) < 126
    return bytes([0x80 | opcode, len(payload)]) + payload


def open_by_hand(channel, **told):
    """The 101's head, or whatever else was answered."""
    channel.send(head(**told))
    return channel.read_head()


def question(authority="allowed.test", path="/chat/a", more=(("sec-websocket-version", "13"),), protocol="websocket"):
    """By HTTP/2: an extended CONNECT's fields."""
    return [(":method", "CONNECT"), (":protocol", protocol), (":scheme", "https"), (":authority", authority), (":path", path), *more]


def accept(then):
    """By HTTP/1.1: 101, then what is to be done."""
    def answer(connection, request):
        connection.send(acceptance(request))
        then(connection, request)
        return True
    return answer


def echo_bytes(connection, _):
    try:
        while True:
            connection.send(connection.read())
    except Gone:
        connection.say_end()


def echo_stream(stream):
    """By HTTP/2: 200, then what comes."""
    stream.head([(":status", "200")])
    sent = 0
    while stream.wait(lambda s: len(s.body) > sent or s.whole, "more"):
        last, piece = stream.whole, stream.body[sent:]      # nothing comes behind what was whole when we looked
        sent += len(piece)
        stream.data(piece, end=last)
        if last:
            return


# ---- python3-websockets

class PythonService:
    """An echo in a thread of its own. It keeps each handshake's fields, and how each socket was closed."""

    def __init__(self, address, port, leaf=None):
        self.opened, self.closed = [], []
        self._changed = threading.Condition()
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._leaf = leaf
        self._at = (address, port)
        threading.Thread(target=self._run, daemon=True).start()
        assert self._ready.wait(60)

    def _run(self):
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._serve())
        self._loop.run_forever()

    async def _serve(self):
        context = None
        if self._leaf:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(self._leaf.certificate, self._leaf.key)
        self._server = await websockets.serve(self._echo, *self._at, ssl=context, max_size=MOST, ping_interval=None,
                                              subprotocols=["chat"])
        self.port = self._server.sockets[0].getsockname()[1]
        self._ready.set()

    async def _echo(self, socket, path):
        with self._changed:
            self.opened.append((path, [(n.lower(), v) for n, v in socket.request_headers.raw_items()]))
            self._changed.notify_all()
        with contextlib.suppress(websockets.ConnectionClosed):
            await self._answer(socket)
        with self._changed:
            self.closed.append((socket.close_code, socket.close_reason))
            self._changed.notify_all()

    @staticmethod
    async def _answer(socket):
        async for message in socket:
            if message == "close, please":
                await socket.close(4001, "as asked")
            elif message == "ping me":
                await asyncio.wait_for(await socket.ping(b"are you there"), 120)
                await socket.send("you are")
            else:
                await socket.send(message)

    def wait_closed(self, n):
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.closed) >= n, 120), self.closed
            return self.closed[n - 1]


def talk(channel, uri, conversation, context=None, **told):
    """Runs conversation(socket) over a connection that stands already; the channel is no longer ours."""
    host = uri.split("/")[2].split(":")[0]

    async def run():
        secure = {"ssl": context, "server_hostname": host} if context else {}
        async with websockets.connect(uri, sock=channel.sock, max_size=MOST, ping_interval=None, open_timeout=120,
                                      close_timeout=120, **secure, **told) as socket:
            return await conversation(socket)
    channel.sock.setblocking(False)
    return asyncio.run(run())


# ---- npm ws

def node_service(ws, address, port, leaf=None):
    pair = [leaf.certificate, leaf.key] if leaf else []
    return Service([tool("node"), os.path.join(node_folder(ws, "ws"), "socket_service.mjs"), address, str(port), *pair])


def node_client(ws, h, uri, *messages):
    script = os.path.join(node_folder(ws, "ws"), "socket_client.mjs")
    done = run_as(WORKLOAD_UID, [tool("node"), script, h.proxy, uri, h.bundle, *messages], timeout=300)
    assert done.returncode == 0, done.stderr.decode()
    return json.loads(done.stdout)


def vouched(told):
    """The three fields of a proved request, as a service was told them."""
    return {n: v for n, v in told if n in ("workload-identity-token", "workload-proof-token", "authorization")}


assert accept_of(KEY) == ACCEPT and os.path.isdir(ROOT)
