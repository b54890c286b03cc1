"""What stands behind Holdfast while it is soaked: services that answer as they should, and some that never do."""

import contextlib
import hashlib
import json
import random
import socket
import ssl
import struct
import threading

from holdfast import METADATA, Origin
from origin import Connection, Gone


def pattern(nonce, size):
    """`size` bytes that belong to this nonce and to no other."""
    seed = hashlib.sha256(nonce.encode()).hexdigest().encode()
    return (seed * (size // len(seed) + 1))[:size]


def reset(sock):
    """The other side is told by a RST."""
    with contextlib.suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


class Good:
    """Answers /<kind>/<nonce>/<bytes>: the nonce, a digest of what it was sent, and so many bytes made from the nonce. It keeps
    nothing of what it has seen."""

    def __init__(self, address, port, leaf=None):
        self.secrets = set()            # credentials that may be presented here
        self.wrong = []
        self.origin = Origin(address, port, leaf, answer=self.answer)

    def answer(self, connection, request):
        self.origin.forget()
        connection.requests.clear()
        connection.raw.clear()
        if (request.get("expect") or "").lower() == "100-continue":
            connection.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        connection.read_body(request)
        _, kind, nonce, size = (request.target.partition("?")[0].split("/") + ["", "0"])[:4]
        self.look_at_credentials(kind, request)
        told = json.dumps({"nonce": nonce, "method": request.method, "in": request.body_bytes,
                           "sha256": request.body_sha256}).encode() + b"\n"
        body = b"" if request.method == "HEAD" else told + pattern(nonce, int(size or 0))
        if kind.endswith("chunked") and request.method != "HEAD":
            self.send_chunked(connection, body)
        else:
            connection.reply(200, body, [("X-Nonce", nonce)])
        return kind.startswith("parting")

    @staticmethod
    def send_chunked(connection, body):
        connection.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for at in range(0, len(body), 5000):
            piece = body[at:at + 5000]
            connection.send(b"%x\r\n%s\r\n" % (len(piece), piece))
        connection.send(b"0\r\n\r\n")

    def look_at_credentials(self, kind, request):
        shown = request.get("authorization")
        if kind == "bearer" and (shown or "").removeprefix("Bearer ") not in self.secrets:
            self.wrong.append(f"{request.target}: it was shown {shown!r}")
        if kind != "bearer" and shown is not None:
            self.wrong.append(f"{request.target}: a credential came through: {shown!r}")


BEFORE = ["close", "reset", "close-in-handshake", "reset-in-handshake", "reset-after-handshake", "garbage-for-tls"]
AFTER = ["close-after-head", "reset-after-head", "close-mid-head", "reset-mid-head", "close-mid-body", "reset-mid-body",
         "close-mid-chunk", "garbage", "continue-and-close", "early-answer", "answer-and-reset"]


class Nasty:
    """Leaves or lies at a step that chance picks: before the request is read, or after."""

    def __init__(self, address, port, leaf, seed):
        self.chance = random.Random(seed)
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(leaf.certificate, leaf.key)
        self.listener = socket.create_server((address, port), backlog=512)
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            sock, _ = self.listener.accept()
            sock.settimeout(60)
            how = self.chance.choice(BEFORE + 2 * AFTER)
            threading.Thread(target=self.one, args=(sock, how), daemon=True).start()

    def one(self, sock, how):
        with contextlib.suppress(OSError, ssl.SSLError, Gone, ValueError), contextlib.ExitStack() as end:
            end.callback(sock.close)
            if how in BEFORE:
                self.leave_early(sock, how)
                return
            tls = self.context.wrap_socket(sock, server_side=True)
            end.callback(tls.close)
            connection = Connection(None, tls, None, 0)
            self.leave_late(tls, connection._until(b"\r\n\r\n"), how)

    def leave_early(self, sock, how):
        if how == "reset-after-handshake":
            reset(self.context.wrap_socket(sock, server_side=True))
            return
        if "handshake" in how:
            sock.recv(100)
        if how == "garbage-for-tls":
            sock.sendall(b"SSH-2.0-OpenSSH_9.2\r\n" * 10)
        if how.startswith("reset"):
            reset(sock)

    @staticmethod
    def leave_late(tls, asked, how):
        nonce = asked.split(b" ")[1].split(b"/")[2].decode("latin-1")
        head = b"HTTP/1.1 200 OK\r\nX-Nonce: %s\r\n" % nonce.encode()
        says = {"close-mid-head": b"HTTP/1.1 200 OK\r\nX-No",
                "reset-mid-head": b"HTTP/1.1 200 OK\r\nX-No",
                "close-mid-body": head + b"Content-Length: 100000\r\n\r\n" + pattern(nonce, 30000),
                "reset-mid-body": head + b"Content-Length: 100000\r\n\r\n" + pattern(nonce, 30000),
                "close-mid-chunk": head + b"Transfer-Encoding: chunked\r\n\r\n1000\r\n" + pattern(nonce, 1000),
                "garbage": b"HTTP/9.9 OK nothing here is\r\nright\r\n\r\n",
                "continue-and-close": b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n",
                "early-answer": b"HTTP/1.1 413 Too Large\r\nX-Nonce: %s\r\nContent-Length: 0\r\n\r\n" % nonce.encode(),
                "answer-and-reset": b"HTTP/1.1 418 Teapot\r\nX-Nonce: %s\r\nContent-Length: 0\r\n\r\n" % nonce.encode(),
                }.get(how, b"")
        tls.sendall(says)
        if "reset" in how:
            reset(tls)


class FlappingNames:
    """Answers of a name server that changes its mind: well, failed, silent, private, none, or all of it at once."""

    def __init__(self, good, seed):
        self.good, self.chance = good, random.Random(seed)

    def __call__(self, query, _):
        what = self.chance.choice(["well", "well", "well", "servfail", "silence", "private", "metadata", "none", "garbage"])
        values = {"well": [self.good], "private": [self.good, "10.99.0.1"], "metadata": [METADATA]}.get(what, [])
        if what == "silence":
            return None
        if what == "garbage":
            return query.id + b"\x81\x80\xff\xff\xff\xff"
        return query.answer(values, code=2 if what == "servfail" else 0)
