"""A sidecar whose rules allow WebSockets over HTTP/1.1, strangers' services behind it and our own by hand, and what a test of
them asks of each."""

import json
import os
import ssl
import threading

import sockets
from holdfast import (ADDRESSES, PUBLIC, PUBLIC2, Gone, Holdfast, Origin, Workspace, forward_config, hosts, own_network)
from strangers import python_has

own_network(ADDRESSES)
ws = Workspace()
TRUST = f'upstream_trust = "{ws.ca.file}";'
SIGNED = 'credential = "orders"; bind = ["wimse"]; inject = "always";'


def rule(host, more="", paths='"any"', methods='"any"'):
    return f'{{ host = "{host}"; methods = {methods}; paths = {paths}; {more} }}'


RULES = ", ".join([rule("allowed.test", f"websocket = true; {SIGNED} {TRUST}", '["/chat/**"]'),
                   rule("allowed.test", f"{SIGNED} {TRUST}", '["/quiet"]'),
                   rule("allowed.test", 'websocket = true; scheme = "http";'),
                   rule("stranger.test", f"websocket = true; {SIGNED} {TRUST}"),
                   rule("stranger.test", 'websocket = true; scheme = "http";'),
                   rule("node.test", f"websocket = true; {SIGNED} {TRUST}"),
                   rule("gated.test", f"websocket = true; {SIGNED} {TRUST}")])
NAMES = hosts(allowed_test=PUBLIC, stranger_test=PUBLIC2, node_test="20.0.0.30", gated_test="20.0.0.40")


class Script:
    """A service by hand: what it does once a handshake is there can be changed; it says when it was done."""

    def __init__(self, *more):
        self.origin = Origin(*more, answer=self.answer)
        self.then = None
        self.done = threading.Event()
        self.failed = None

    def will(self, then):
        self.then, self.failed = then, None
        self.done.clear()

    def answer(self, connection, request):
        try:
            self.then(connection, request)
        except Gone:
            raise
        except Exception as e:      # for who asks us
            self.failed = e
        finally:
            self.done.set()
        return True

    def wait(self):
        assert self.done.wait(120), "the service did not get to its end"
        if self.failed:
            raise self.failed


for at in ("20.0.0.30", "20.0.0.40"):
    os.system(f"ip addr add {at}/32 dev lo")
service = Script(PUBLIC, 443, ws.leaf("allowed.test"))
plain = Script(PUBLIC, 80)
python_has("websockets", "python3-websockets")
stranger = sockets.PythonService(PUBLIC2, 443, ws.leaf("stranger.test"))
plain_stranger = sockets.PythonService(PUBLIC2, 80)
h = Holdfast(ws, forward_config(RULES, names=NAMES))
WAYS = [("inside_tls", True), ("in_the_clear", False)]


def tunnel(secure=True, host="allowed.test", of=None):
    of = of or h
    if secure:
        return of.tls(f"{host}:443")
    channel, answer = of.connect(f"{host}:80")
    assert answer.status == 200
    return channel


def opened(secure=True, then=None, glued=b"", **told):
    """A socket by hand, open: the client's end of it. then(connection, request) is what the service does from there on."""
    def answer(connection, request):
        connection.send(sockets.acceptance(request, glued=glued))
        then(connection, request)
    (service if secure else plain).will(answer)
    channel = tunnel(secure)
    head = sockets.open_by_hand(channel, **{"path": "/chat/a", **told})
    assert head.status == 101, head.line
    return channel


def echo_bytes(connection, request):
    try:
        while True:
            connection.send(connection.read())
    except Gone:
        connection.say_end()


def line_of(mark, reason="ok", of=None):
    """The one line of the log since mark."""
    line, = (of or h).wait_requests(1, mark)
    assert line["reason"] == reason, line
    return line


def is_cut(channel):
    """What comes is no end that anybody meant."""
    if isinstance(channel.sock, ssl.SSLSocket):
        channel.sock.suppress_ragged_eofs = False
    try:
        got = channel.sock.recv(1)
    except (ConnectionResetError, ssl.SSLError):
        return True
    raise AssertionError(("a clean end", got))


def decisions(of=None):
    """The ledger's records of what was decided, in their order."""
    folder = os.path.join((of or h).run, "ledger")
    text = "".join(open(os.path.join(folder, name), encoding="utf-8").read()
                   for name in sorted(os.listdir(folder)) if name.endswith(".jsonl"))
    return [r for r in map(json.loads, text.splitlines()) if r["kind"] == "decision"]


def secure_context():
    context = ssl.create_default_context(cafile=h.ca)
    context.set_alpn_protocols(["http/1.1"])
    return context


def converse(conversation, host="stranger.test", path="/chat", secure=True, **told):
    channel, answer = h.connect(f"{host}:{443 if secure else 80}")
    assert answer.status == 200
    uri = f"{'wss' if secure else 'ws'}://{host}{path}"
    return sockets.talk(channel, uri, conversation, secure_context() if secure else None, **told)


def echo(connection, request):
    """Accepts, and says what it hears."""
    connection.send(sockets.acceptance(request))
    echo_bytes(connection, request)


def end():
    h.stop()
    ws.remove()
