"""WebSocket over HTTP/1.1: judged, stripped and signed at its handshake, then passed on as it comes, until both sides have ended,
nothing moves, or its task ends. The services and clients are strangers, and our own hands for what no stranger would say."""

import hashlib
import json
import os
import socket
import ssl
import threading

import sockets
from control import ask, holdfast
from holdfast import (ADDRESSES, CREDENTIAL, PROXY_UID, PUBLIC, PUBLIC2, Channel, Closed, Gone, Holdfast, Origin, Workspace,
                      forward_config, gate_config, grant, hosts, main, own_network, promise, rows)
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


# ---- strangers

@rows(WAYS)
def a_stranger_talks_with_a_stranger(way):
    _, secure = way
    seen = stranger if secure else plain_stranger
    mark, before = h.quiet_mark(), len(seen.opened)

    async def conversation(s):
        await s.send("hello")
        assert await s.recv() == "hello"
        await s.send(b"\0\xff" * 70000)
        assert await s.recv() == b"\0\xff" * 70000
        return s.subprotocol

    told = {"subprotocols": ["other", "chat"], "extra_headers": [("Authorization", "Bearer stolen"), ("X-Mine", "1")]}
    assert converse(conversation, path="/chat?room=1", secure=secure, **told) == "chat"
    path, fields = seen.opened[before]
    assert path == "/chat?room=1" and ("x-mine", "1") in fields
    proved = sockets.vouched(fields)
    assert set(proved) == ({"workload-identity-token", "workload-proof-token"} if secure else set()), proved
    line = line_of(mark)
    assert (line["status"], line["method"], line["path"], line["step"]) == (101, "GET", "/chat", "finish"), line
    assert line["in"] > 0 and line["out"] > 0 and "authorization" in [n.lower() for n in line["stripped"]]
    assert ("proof" in line) == secure


@promise
def a_handshake_is_one_decision_before_its_first_byte_goes_out():
    durable = Holdfast(ws, lambda at: forward_config(RULES, names=NAMES)(at).replace('/ledger"; }', '/ledger"; durable = "decision"; }'),
                       name="durable")
    found = []

    def look(connection, request):
        found.extend(decisions(durable))
        connection.send(sockets.acceptance(request))
        echo_bytes(connection, request)
    service.will(look)
    with tunnel(of=durable) as c:
        assert sockets.open_by_hand(c, path="/chat/a").status == 101
        c.send(b"hello")
        assert c.until(b"hello") == b"hello"
        c.sock.unwrap()
    one, = found
    assert (one["method"], one["path"], one["verdict"]) == ("GET", "/chat/a", "allow") and one["proof"], one
    durable.stop()
    assert decisions(durable) == found, "and none behind it"


@promise
def node_talks_with_node():
    mark = h.quiet_mark()
    there = sockets.node_service(ws, "20.0.0.30", 443, ws.leaf("node.test"))
    heard = sockets.node_client(ws, h, "wss://node.test/chat", "one", "two", "ping", "close 4002 enough")
    assert heard["messages"] == ["one", "two"] and heard["pongs"] == 1, heard
    assert heard["protocol"] == "chat" and "permessage-deflate" in heard["extensions"]
    assert (heard["code"], heard["reason"]) == (4002, "enough")
    there.wait(lambda calls: any(c["event"] == "close" for c in calls), "the close")
    begun = there.calls[0]
    assert begun.tokens[0] and begun.tokens[1], "signed for"
    closed = next(c for c in there.calls if c["event"] == "close")
    assert (closed["code"], closed["reason"]) == (4002, "enough")
    assert line_of(mark)["status"] == 101
    there.stop()


@promise
def node_talks_with_python_which_closes_as_it_likes():
    before = len(stranger.closed)
    heard = sockets.node_client(ws, h, "wss://stranger.test/chat", "one", "close, please")
    assert heard["messages"] == ["one"] and (heard["code"], heard["reason"]) == (4001, "as asked"), heard
    assert stranger.wait_closed(before + 1)[0] == 4001


@promise
def closes_are_the_ends_own():
    async def ours(s):
        await s.send("x")
        await s.recv()
        await s.close(4003, "no more")

    async def theirs(s):
        await s.send("close, please")
        try:
            await s.recv()
        except Exception:
            return s.close_code, s.close_reason
        raise AssertionError("it went on")

    before, mark = len(stranger.closed), h.quiet_mark()
    converse(ours)
    assert stranger.wait_closed(before + 1) == (4003, "no more")
    assert converse(theirs) == (4001, "as asked")
    assert [li["reason"] for li in h.wait_requests(2, mark)] == ["ok", "ok"]


@promise
def pings_go_both_ways():
    async def conversation(s):
        await (await s.ping(b"here?"))
        await s.send("ping me")
        return await s.recv()
    assert converse(conversation) == "you are"


@promise
def a_message_of_ten_mebibytes_arrives_whole():
    whole = os.urandom(10 << 20)

    async def conversation(s):
        await s.send(whole)
        return await s.recv()
    mark = h.quiet_mark()
    assert converse(conversation, compression=None) == whole
    line = line_of(mark)
    assert line["in"] >= 10 << 20 and line["out"] >= 10 << 20


@promise
def ten_thousand_small_messages_arrive_in_their_order():
    async def conversation(s):
        for start in range(0, 10000, 100):
            for i in range(start, start + 100):
                await s.send(f"message {i}")
            for i in range(start, start + 100):
                assert await s.recv() == f"message {i}"
        return True
    assert converse(conversation)


# ---- in front of a service that knows nothing of all this

@promise
def a_gate_verifies_the_handshake_and_passes_the_rest_on():
    behind = Script("127.0.0.1", 0)
    leaf = ws.leaf("gated.test")
    os.chown(leaf.key, PROXY_UID, PROXY_UID)
    may = '{ methods = ["GET"]; paths = ["/chat"]; subjects = "any"; grants = ["tests"]; purposes = "any"; require_body_digest = true; websocket = true; }'
    may_not = '{ methods = ["GET"]; paths = ["/quiet"]; subjects = "any"; grants = ["tests"]; purposes = "any"; }'
    gate = Holdfast(ws, gate_config(leaf, f"http://127.0.0.1:{behind.origin.port}", h.jwks, f"{may}, {may_not}",
                                    '"https://gated.test"', listen="20.0.0.40:443"), name="gate")
    seen = []

    def answer(connection, request):
        seen.append(request)
        connection.send(sockets.acceptance(request))
        echo_bytes(connection, request)
    behind.will(answer)
    mark = gate.mark()
    with tunnel(host="gated.test") as c:
        assert sockets.open_by_hand(c, path="/chat", host="gated.test").status == 101
        c.send(b"through two")
        assert c.until(b"two") == b"through two"
        c.sock.unwrap()
    assert line_of(mark, of=gate)["status"] == 101
    assert seen[0].get("x-holdfast-workload") and not seen[0].get("workload-proof-token"), seen[0].fields
    mark = gate.mark()
    with tunnel(host="gated.test") as c:
        c.send(sockets.head("/quiet", "gated.test"))
        refused = c.read_answer()
        assert (refused.status, refused.reason) == (403, "websocket_not_allowed")
    line_of(mark, "websocket_not_allowed", gate)
    with Channel(socket.create_connection(("20.0.0.40", 443))) as c:       # from anywhere, with no proof
        c.start_tls(ssl.create_default_context(cafile=ws.ca.file), "gated.test")
        c.send(sockets.head("/chat", "gated.test"))
        assert c.read_answer().reason == "token_missing"
    assert len(behind.origin.requests) == 1
    gate.stop()


# ---- what is refused

REFUSED = [
    {"id": "where_its_rule_does_not_allow_it", "path": "/quiet", "told": (403, "websocket_not_allowed")},
    {"id": "where_no_rule_allows_its_path", "path": "/elsewhere", "told": (403, "path_not_allowed")},
    {"id": "for_h2c", "upgrade": "h2c", "told": (403, "upgrade_refused")},
    {"id": "for_anything_unknown", "upgrade": "x", "connection": None, "told": (403, "upgrade_refused")},
    {"id": "for_a_choice", "upgrade": "h2c, websocket", "told": (403, "upgrade_refused")},
    {"id": "with_a_bad_key", "key": "c2hvcnQ=", "told": (400, "websocket_handshake")},
    {"id": "without_a_key", "key": None, "told": (400, "websocket_handshake")},
    {"id": "without_connection_upgrade", "connection": "keep-alive", "told": (400, "websocket_handshake")},
    {"id": "without_a_version", "version": None, "told": (400, "websocket_handshake")},
    {"id": "with_a_body", "more": [("Content-Length", "5")], "told": (400, "websocket_handshake")},
    {"id": "with_another_version", "version": "8", "told": (400, "websocket_version")},
]


@rows(REFUSED)
def a_handshake_is_refused(row):
    told = {k: v for k, v in row.items() if k not in ("id", "told")}
    before, mark = len(service.origin.requests), h.quiet_mark()
    with tunnel() as c:
        c.send(sockets.head(**{"path": "/chat/a", **told}))
        answer = c.read_answer()
        assert (answer.status, answer.reason) == row["told"], answer.body
        assert answer.get("sec-websocket-version") == ("13" if row["told"][1] == "websocket_version" else None)
        assert answer.get("upgrade") is None
        if "upgrade" not in row:
            assert answer.get("connection") == "close" and c.is_closed()
    line = line_of(mark, row["told"][1])
    assert "up" not in line
    assert len(service.origin.requests) == before, "the service was asked"


@promise
def connect_is_asked_for_nothing_else():
    channel, answer = h.connect("allowed.test:443", fields=[("Upgrade", "h2c"), ("Connection", "Upgrade")])
    with channel:
        h.quiet_mark()
        assert answer.status == 403


@promise
def an_upgrade_of_a_plain_request_is_refused_too():
    with h.open() as c:
        c.send(b"GET http://allowed.test/ HTTP/1.1\r\nHost: allowed.test\r\nUpgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\n"
               b"HTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n")
        answer = c.read_answer()
        assert (answer.status, answer.reason) == (403, "upgrade_refused")


@promise
def a_socket_may_be_asked_for_in_the_absolute_form_too():
    plain.will(lambda c, r: (c.send(sockets.acceptance(r)), echo_bytes(c, r)))
    with h.open() as c:
        c.send(sockets.head().replace(b"GET /chat ", b"GET http://allowed.test/chat "))
        assert c.read_head().status == 101
        c.send(b"hello")
        assert c.until(b"hello") == b"hello"
        assert plain.origin.requests[-1].target == "/chat"


@rows([("wss://allowed.test/chat/a", 0, "allowed"), ("wss://allowed.test/quiet", 3, "websocket_not_allowed"),
       ("https://allowed.test/quiet", 0, "allowed"), ("ws://allowed.test/chat", 0, "allowed")])
def explain_says_what_would_become_of_it(row):
    url, code, word = row
    done = holdfast("explain", "GET", url, "-c", h.config_path)
    assert done.returncode == code and word in done.stdout, done


# ---- what a service may answer

ANSWERS = [
    {"id": "the_clients_own_key", "answer": lambda r: sockets.acceptance(r, accept=sockets.ACCEPT)},
    {"id": "no_key_at_all", "answer": lambda r: b"HTTP/1.1 101 Go\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"},
    {"id": "another_protocol", "answer": lambda r: sockets.acceptance(r).replace(b"websocket", b"h2c", 1)},
    {"id": "no_upgrade_in_connection", "answer": lambda r: sockets.acceptance(r).replace(b"Connection: Upgrade", b"Connection: x")},
]


@rows(ANSWERS)
def an_acceptance_is_none_that_answers(row):
    service.will(lambda c, r: c.send(row["answer"](r) + b"free bytes"))
    mark = h.quiet_mark()
    with tunnel() as c:
        c.send(sockets.head("/chat/a"))
        answer = c.read_answer()
        assert (answer.status, answer.reason) == (502, "upstream_websocket")
        assert c.is_closed()
    line_of(mark, "upstream_websocket")


@promise
def our_own_key_goes_out_each_time_and_never_the_clients():
    keys = []
    for _ in range(3):
        with opened(then=lambda c, r: keys.append(r)):
            service.wait()
    told = [r.get("sec-websocket-key") for r in keys]
    assert len(set(told)) == 3 and sockets.KEY not in told
    for r in keys:
        assert r.all("sec-websocket-version") == ["13"] and r.all("connection") == ["Upgrade"] and r.all("upgrade") == ["websocket"]
        assert r.get("content-length") is None and r.get("transfer-encoding") is None


@rows([{"id": s, "status": int(s)} for s in ("200", "204", "401", "403", "426", "503")])
def another_answer_reaches_the_client_and_ends_both_connections(row):
    body = b"" if row["status"] == 204 else b"no sockets here"
    service.will(lambda c, r: (c.reply(row["status"], body), c.read()))     # Gone, once it is closed
    mark = h.quiet_mark()
    with tunnel() as c:
        c.send(sockets.head("/chat/a") + sockets.frame(b"early"))
        answer = c.read_answer()
        assert (answer.status, answer.body, answer.get("connection")) == (row["status"], body, "close")
        assert c.is_closed()
    service.wait()
    assert line_of(mark)["status"] == row["status"]
    assert b"early" not in bytes(service.origin.connections[-1].raw), "what was meant for a socket reached none"


@promise
def interim_answers_may_come_before_the_101():
    service.will(lambda c, r: c.send(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + sockets.acceptance(r)))
    with tunnel() as c:
        c.send(sockets.head("/chat/a"))
        assert [c.read_head().status, c.read_head().status] == [103, 101]


# ---- the bytes

@rows(WAYS)
def bytes_glued_to_either_end_of_the_handshake_arrive_behind_it(way):
    _, secure = way
    there = service if secure else plain
    got = []

    def answer(connection, request):
        got.append(bytes(connection.pending))
        connection.send(sockets.acceptance(request, glued=b"glued to the answer"))
        got.append(connection.read())
    there.will(answer)
    with tunnel(secure) as c:
        c.send(sockets.head("/chat/a") + b"glued to the question")
        assert c.read_head().status == 101
        assert c.until(b"answer") == b"glued to the answer"
        there.wait()
    assert got == [b"", b"glued to the question"], got


@rows(WAYS)
def a_client_that_has_said_its_end_still_hears(way):
    _, secure = way
    heard, said = [], threading.Event()

    def then(connection, request):
        try:
            while True:
                heard.append(connection.read())
        except Gone:
            assert said.wait(120)
            connection.send(b"after your end")
        if secure:
            connection.say_end()
    mark = h.quiet_mark()
    with opened(secure, then) as c:
        c.send(b"my last")
        if secure:
            half_close(c.sock)
        else:
            c.sock.shutdown(socket.SHUT_WR)
        said.set()
        assert c.read_to_end() == b"after your end"
    (service if secure else plain).wait()
    assert b"".join(heard) == b"my last"
    line = line_of(mark)
    assert (line["in"], line["out"]) == (7, 14)


def half_close(tls):
    """Sends close_notify alone: a non-blocking unwrap writes ours, and finds that theirs has not come. What comes meanwhile
    it would throw away, so the other side is silent until this is done."""
    timeout = tls.gettimeout()
    tls.setblocking(False)
    try:
        tls.unwrap()
    except (ssl.SSLWantReadError, OSError):
        pass
    tls.settimeout(timeout)


@rows(WAYS)
def a_service_that_has_said_its_end_still_hears(way):
    _, secure = way
    heard, said, told = [], threading.Event(), threading.Event()

    def then(connection, request):
        connection.send(b"my last")
        if secure:
            half_close(connection.sock)
        else:
            connection.sock.shutdown(socket.SHUT_WR)
        said.set()
        assert told.wait(120)
        while b"end" not in b"".join(heard):
            heard.append(connection.read())
    mark = h.quiet_mark()
    with opened(secure, then) as c:
        assert c.read_to_end() == b"my last"
        assert said.wait(120)
        c.send(b"after your end")
        told.set()
        (service if secure else plain).wait()
    assert b"".join(heard) == b"after your end"
    line = line_of(mark)
    assert (line["in"], line["out"]) == (14, 7)


@rows(WAYS)
def when_the_client_is_gone_the_service_is_left_too(way):
    _, secure = way
    gone = threading.Event()

    def then(connection, request):
        try:
            connection.read()
        except Gone:
            gone.set()
    c = opened(secure, then)
    c.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    mark = h.index()
    c.close()
    assert gone.wait(120)
    line_of(mark, "client_gone")


@rows(WAYS)
def when_the_service_is_gone_the_client_is_not_told_of_a_clean_end(way):
    _, secure = way

    def then(connection, request):
        connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        connection.sock.close()
    mark = h.index()
    with opened(secure, then) as c:
        assert is_cut(c)
    line_of(mark, "upstream_closed")


@promise
def nothing_else_ever_rides_on_its_connections():
    before = len(service.origin.connections)
    with opened(then=lambda c, r: c.send(b"bye") or c.say_end()) as c:
        assert c.until(b"bye")
        c.sock.unwrap()
    service.wait()
    service.will(lambda c, r: c.reply(200, "plain"))
    with tunnel() as c:
        assert c.request("GET", "/quiet", "allowed.test").status == 200
    assert len(service.origin.connections) == before + 2


def pour(send, most):
    """Sends until nobody takes any more, or all of it: the digest of what went."""
    digest, piece, n = hashlib.sha256(), os.urandom(1 << 16), 0
    while n < most:
        try:
            went = send(piece)
        except (socket.timeout, BlockingIOError, ssl.SSLWantWriteError):
            break
        digest.update(piece[:went])
        n += went
    return n, digest.hexdigest()


@rows([("the_client", True), ("the_service", False)])
def a_reader_that_stops_holds_the_writer_back(row):
    """In the clear, where what went is known byte by byte."""
    _, client_reads = row
    most, sent, stuck, heard = 256 << 20, [], threading.Event(), []

    def write(sock):
        sock.settimeout(5)
        sent.extend(pour(sock.send, most))
        sock.settimeout(None)
        stuck.set()
        sock.shutdown(socket.SHUT_WR)

    def read(receive):
        assert stuck.wait(300)
        digest, n = hashlib.sha256(), 0
        while True:
            piece = receive()
            if not piece:
                heard.extend([n, digest.hexdigest()])
                return
            digest.update(piece)
            n += len(piece)

    def receive_of(connection):
        def receive():
            try:
                return connection.read(1 << 20)
            except Gone:
                return b""
        return receive

    def then(connection, request):
        if client_reads:
            write(connection.sock)
        else:
            read(receive_of(connection))
    before = h.resident_kib()
    with opened(False, then) as c:
        if client_reads:
            read(lambda: c.receive(1 << 20))
        else:
            write(c.sock)
        plain.wait()
        assert sent == heard and sent[0] < most, (sent, heard)
        assert h.resident_kib() - before < 16 << 10, (before, h.resident_kib())


# ---- how long

def sidecar(name, limits="", more="", rules=RULES, **told):
    return Holdfast(ws, forward_config(rules, names=NAMES, limits=limits, more=more, **told), name=name)


@promise
def an_idle_socket_ends_and_is_told_of_as_idle():
    idle = sidecar("idle", 'stream_idle = "2s";')
    service.will(lambda c, r: (c.send(sockets.acceptance(r)), c.read()))
    with tunnel(of=idle) as c:
        assert sockets.open_by_hand(c, path="/chat/a").status == 101
        assert c.read_to_end() == b""
    service.wait()
    line = line_of(0, "idle", idle)
    assert line["status"] == 101 and line["ms"] >= 1900
    idle.stop()


@promise
def a_service_that_does_not_answer_the_handshake_is_a_504():
    slow = sidecar("slow", 'stream_idle = "2s";')
    service.will(lambda c, r: c.read())
    with tunnel(of=slow) as c:
        answer = sockets.open_by_hand(c, path="/chat/a")
        assert answer.status == 504, answer.line
    assert line_of(0, "upstream_timeout", slow)["status"] == 504
    slow.stop()


@promise
def a_kept_connection_that_its_service_closes_is_tried_once_more_on_a_fresh_one():
    again = sidecar("again", rules=rule("allowed.test", f'websocket = true; http = "1.1"; {TRUST}'))
    kept, lost = [], []

    def answer(connection, request):
        if request.target == "/quiet":
            kept.append(connection)
            connection.reply(200, "kept")
            return False
        if connection in kept:
            lost.append(connection)
            return True
        connection.send(sockets.acceptance(request))
        return echo_bytes(connection, request)
    before, service.origin.answer = service.origin.answer, answer
    try:
        with tunnel(of=again) as c:
            assert c.request("GET", "/quiet", "allowed.test").status == 200
            assert sockets.open_by_hand(c, path="/chat/a").status == 101
        assert lost, "it was not asked on the kept one"
    finally:
        service.origin.answer = before
    again.stop()


@promise
def a_socket_has_no_total_time_out():
    """Each of the waits is shorter than what ends an idle one, and all of them together longer than everything that ends others."""
    quick = sidecar("quick", 'stream_idle = "20s"; head_timeout = "2s"; connection_idle = "2s"; connect_timeout = "2s"; handshake_timeout = "2s";')
    nobody = threading.Event()

    def then(connection, request):
        connection.send(sockets.acceptance(request))
        for _ in range(3):
            nobody.wait(1)              # no event: time itself is what must not matter
            connection.send(b"still here")
            connection.read()
        connection.say_end()
    service.will(then)
    with tunnel(of=quick) as c:
        assert sockets.open_by_hand(c, path="/chat/a").status == 101
        for _ in range(3):
            assert c.until(b"here") == b"still here"
            c.send(b"so am I")
        c.sock.unwrap()
    assert line_of(0, of=quick)["ms"] > 2900
    quick.stop()


@promise
def a_reload_leaves_a_socket_with_its_generation():
    still = sidecar("still")
    service.will(lambda c, r: (c.send(sockets.acceptance(r)), echo_bytes(c, r)))
    with tunnel(of=still) as c:
        assert sockets.open_by_hand(c, path="/chat/a").status == 101
        told = still.reload(forward_config(RULES, names=NAMES, limits='stream_idle = "299s";'))
        assert told["msg"] == "config reloaded", told
        c.send(b"hello")
        assert c.until(b"hello") == b"hello"
        c.sock.unwrap()
    assert line_of(0, of=still)["gen"] == 1
    still.stop()


@promise
def a_rule_that_no_longer_allows_sockets_ends_those_it_allowed():
    narrow = sidecar("narrow")
    service.will(lambda c, r: (c.send(sockets.acceptance(r)), echo_bytes(c, r)))
    with tunnel(of=narrow) as c:
        assert sockets.open_by_hand(c, path="/chat/a").status == 101
        narrow.reload(forward_config(RULES.replace("websocket = true;", ""), names=NAMES))
        assert c.read_to_end() == b""
    service.wait()
    line_of(0, "task_ended", narrow)
    with tunnel(of=narrow) as c:
        c.send(sockets.head("/chat/a"))
        assert c.read_answer().reason == "websocket_not_allowed"
    narrow.stop()


@promise
def holdfasts_own_end_lets_a_socket_go_on_for_a_while_and_no_longer():
    ending = sidecar("ending", 'drain = "1s";')
    service.will(lambda c, r: (c.send(sockets.acceptance(r)), echo_bytes(c, r)))
    with tunnel(of=ending) as c:
        assert sockets.open_by_hand(c, path="/chat/a").status == 101
        c.send(b"hello")
        assert c.until(b"hello") == b"hello"
        ending.stop()
        assert c.read_to_end() == b""
    service.wait()


def with_tasks(name, drain):
    told = grant(RULES).replace('task = "standing"; ttl = "15m";', f'task = "required"; ttl = "1h"; drain = "{drain}";')
    started = Holdfast(ws, lambda at: forward_config("", grants=told, names=NAMES)(at) + f'control = {{ socket = "{at.run}/control.sock"; }};\n',
                       name=name)
    return started, lambda verb, **more: ask(f"{started.run}/control.sock", verb, **more)


@promise
def the_end_of_its_task_cuts_it_on_both_sides():
    tasks, say = with_tasks("tasks", "0s")
    task = say("task_start", grant="tests", purpose="testing", max_requests=1)
    service.will(lambda c, r: (c.send(sockets.acceptance(r)), echo_bytes(c, r)))
    with tunnel(of=tasks) as c:
        assert sockets.open_by_hand(c, path="/chat/a").status == 101
        c.send(b"hello" * 1000)
        assert len(c.until(b"hello" * 1000)) == 5000
        with tunnel(of=tasks) as other:
            other.send(sockets.head("/chat/a"))
            assert other.read_answer().reason == "task_budget", "the socket is one request, for as long as it lasts"
        assert say("task_revoke", grant="tests")["ended"] == 1
        assert is_cut(c)
    service.wait()
    assert ("task_ended", 101, task["id"]) in [(li["reason"], li["status"], li["task"]) for li in tasks.wait_requests(2)]
    with tunnel(of=tasks) as c:
        c.send(sockets.head("/chat/a"))
        assert c.read_answer().reason == "task_required"
    tasks.stop()


@promise
def a_task_that_drains_leaves_it_until_somebody_hurries():
    tasks, say = with_tasks("draining", "1h")
    task = say("task_start", grant="tests", purpose="testing")
    service.will(lambda c, r: (c.send(sockets.acceptance(r)), echo_bytes(c, r)))
    with tunnel(of=tasks) as c:
        assert sockets.open_by_hand(c, path="/chat/a").status == 101
        ended = threading.Thread(target=say, args=("task_end",), kwargs={"id": task["id"]}, daemon=True)
        ended.start()
        while say("task_list", grant="tests")["tasks"]:
            pass
        c.send(b"hello")
        assert c.until(b"hello") == b"hello"
        tasks.kill(2)
        assert c.read_to_end() == b""
    tasks.wait_exit()
    tasks.assert_clean()
    line_of(0, "draining", tasks)


def end():
    h.stop()
    ws.remove()


main(end)
