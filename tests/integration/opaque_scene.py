"""A sidecar that lets TLS to some hosts through unopened, and the services behind it: one that speaks TLS with a certificate of
its own, which only a pinned client knows, and one that keeps every byte as it came. And ClientHellos, byte by byte."""

import base64
import hashlib
import json
import os
import socket
import ssl
import struct
import threading

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from holdfast import (ADDRESSES, OTHER_UID, PRIVATE, PUBLIC, PUBLIC2, Holdfast, Origin, Trap, Workspace, client_hello,
                      forward_config, grant, hosts, own_network)
from ops import DOOR

own_network([*ADDRESSES, "20.0.0.30", "20.0.0.40"])
ws = Workspace()
TRUST = f'upstream_trust = "{ws.ca.file}";'
PATIENCE = 120


def rule(host, more="opaque = true;"):
    return f'{{ host = "{host}"; {more} }}'


READ = f'methods = "any"; paths = "any"; {TRUST}'
RULES = ", ".join([rule("pinned.test"), rule("raw.test"), rule("private.test"), rule("nobody.test"), rule("raw.test", "opaque = true; port = 8443;"),
                   rule("*.wild.test"), rule("read.wild.test", READ), rule("allowed.test", READ), rule("plain.test", 'scheme = "http"; ' + READ.replace(TRUST, ""))])
# The same host is another caller's to be read.
OTHERS = grant(rule("pinned.test", READ), name="others", caller=f"{{ uid = {OTHER_UID}; }}")
NAMES = hosts(pinned_test=PUBLIC, raw_test=PUBLIC2, private_test=PRIVATE, nobody_test="20.0.0.40", allowed_test="20.0.0.30",
              any_wild_test=PUBLIC2, read_wild_test="20.0.0.30", plain_test="20.0.0.30")


class Raw:
    """A service that is no TLS: what it is sent it keeps, connection by connection, and answers with what it is told to."""

    def __init__(self, address, port, then=None):
        self.then = then or Raw.keep_all
        self.came = []
        self._changed = threading.Condition()
        self._listener = socket.create_server((address, port), family=socket.AF_INET6 if ":" in address else socket.AF_INET, backlog=512)
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            sock, _ = self._listener.accept()
            sock.settimeout(PATIENCE)
            visit = Visit(self, sock)
            with self._changed:
                self.came.append(visit)
                self._changed.notify_all()
            threading.Thread(target=visit.run, daemon=True).start()

    def wait(self, true, what):
        with self._changed:
            assert self._changed.wait_for(lambda: true(self), PATIENCE), f"the service waited in vain for {what}"

    def changed(self):
        with self._changed:
            self._changed.notify_all()

    def visit(self, nth):
        self.wait(lambda r: len(r.came) > nth, f"visit {nth}")
        return self.came[nth]

    @staticmethod
    def keep_all(visit):
        while visit.read():
            pass

    @staticmethod
    def echo(visit):
        piece = visit.read()
        while piece:
            visit.sock.sendall(piece)
            piece = visit.read()


class Visit:
    def __init__(self, service, sock):
        self.service, self.sock = service, sock
        self.data = bytearray()
        self.has_ended = False      # cleanly: the other side has said so
        self.is_over = False

    def read(self):
        piece = self.sock.recv(65536)
        self.data += piece
        self.has_ended = not piece
        self.service.changed()
        return piece

    def run(self):
        try:
            self.service.then(self)
        except OSError:
            pass
        self.sock.close()
        self.is_over = True
        self.service.changed()

    def wait(self, n):
        self.service.wait(lambda _: len(self.data) >= n, f"{n} bytes")
        return bytes(self.data)

    def wait_over(self):
        self.service.wait(lambda _: self.is_over, "the end")
        return bytes(self.data)


OWN = ws.leaf("pinned.test", ca=ws.other_ca)
pinned = Origin(PUBLIC, 443, OWN)
read = Origin("20.0.0.30", 443, ws.leaf("allowed.test", "read.wild.test"))
plain = Origin("20.0.0.30", 80)
raw = Raw(PUBLIC2, 443)
raw2 = Raw(PUBLIC2, 8443)
private = Trap(PRIVATE, 443)


def config(at, grants=grant(RULES) + ", " + OTHERS, doors="", names=NAMES, **more):
    """Whose decisions are on the disk before anything leaves."""
    told = forward_config("", grants=grants, names=names, doors=DOOR + doors, more=f'control = {{ socket = "{at.run}/control.sock"; }};', **more)
    return told(at).replace('/ledger"; }', '/ledger"; durable = "decision"; }')


h = Holdfast(ws, config)


def own_certificate():
    with open(OWN.certificate, "rb") as f:
        return x509.load_pem_x509_certificate(f.read())


def pin():
    """Of the service's own key, as curl is told it."""
    spki = own_certificate().public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return "sha256//" + base64.b64encode(hashlib.sha256(spki).digest()).decode()


def pinned_context():
    context = ssl.create_default_context(cafile=ws.other_ca.file)
    context.set_alpn_protocols(["http/1.1"])
    return context


def tunnel(target="raw.test:443", of=None, **more):
    channel, answer = (of or h).connect(target, **more)
    assert answer.status == 200, answer.line
    return channel


def line_of(mark, reason="ok", of=None):
    line, = (of or h).wait_requests(1, mark)
    assert line["reason"] == reason, line
    return line


def decisions(of=None):
    """The ledger's records of what was decided, in their order."""
    folder = os.path.join((of or h).run, "ledger")
    text = "".join(open(os.path.join(folder, name), encoding="utf-8").read()
                   for name in sorted(os.listdir(folder)) if name.endswith(".jsonl"))
    return [r for r in map(json.loads, text.splitlines()) if r["kind"] == "decision"]


# ---- ClientHellos

def hello(*names, extensions=b"", pad=0):
    """One whole record, with these names and further extensions."""
    record = client_hello(list(names))
    body = record[9:]
    at = 34 + 1 + body[34]
    at += 2 + struct.unpack_from(">H", body, at)[0]
    at += 1 + body[at]
    if pad:
        extensions += struct.pack(">HH", 21, pad) + bytes(pad)
    block = body[at + 2:] + extensions
    return framed(body[:at] + struct.pack(">H", len(block)) + block)


def framed(body):
    return b"".join(records(b"\x01" + struct.pack(">I", len(body))[1:] + body, 1 << 14))


def records(message, size):
    return [b"\x16\x03\x01" + struct.pack(">H", len(message[at:at + size])) + message[at:at + size]
            for at in range(0, len(message), size)]


def message_of(record):
    return record[5:]


def alert(channel):
    """The description of the fatal alert that is all the client is told; None: nothing."""
    data = channel.read_to_end()
    if not data:
        return None
    assert data[:6] == b"\x15\x03\x03\0\x02\x02" and len(data) == 7, data
    return data[6]


ACCESS_DENIED, INTERNAL_ERROR, UNRECOGNIZED_NAME = 49, 80, 112


def end():
    h.stop()
    assert private.visits == 0, "a private address was reached"
    ws.remove()
