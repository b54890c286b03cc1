"""What was tried against Holdfast and once worked: each attack is a promise that it does no longer."""

import contextlib
import fcntl
import json
import os
import random
import select
import socket
import ssl
import struct
import threading
import time

import jose
from holdfast import (ADDRESSES, OTHER_UID, PRIVATE, PROXY_UID, PUBLIC, PUBLIC2, RELEASE, WORKLOAD_UID, Channel, Closed, Holdfast,
                      Origin, Sidecar, Skip, client_hello, connect, echo, gate_config, main, own_network,
                      promise, rows)
from key_updates import key_updates, secret_of

own_network(ADDRESSES)
WIMSE = 'credential = "orders"; bind = ["wimse"]; inject = "always";'
SHORT = 'head_timeout = "400ms"; stream_idle = "400ms";'
HOST = "allowed.test"
WILD = 300          # hosts of one wildcard


class Raw:
    """A service one step below HTTP: `serve(sock)` is a promise's own function, and may be changed at any time."""

    def __init__(self, address=PUBLIC2):
        self.serve = lambda sock: None
        self._listener = socket.create_server((address, 0), backlog=512)
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            sock, _ = self._listener.accept()
            sock.settimeout(20)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self._one, args=(sock,), daemon=True).start()

    def _one(self, sock):
        with contextlib.suppress(OSError), contextlib.closing(sock):
            self.serve(sock)


def reset(sock):
    """Leaves without a word of TLS, and so that the other side is told by a RST."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def server_context(leaf, **more):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(leaf.certificate, leaf.key)
    for name, value in more.items():
        setattr(context, name, value)
    return context


# ---- the scene: everything that any promise here needs is in one config, so that only limits change

s = Sidecar()
ws = s.ws
plain = Origin(PUBLIC2, 0)
signed = Origin(PUBLIC2, 0, ws.leaf("signed.test"))
raw = Raw()                 # raw.test in verified TLS, or so a rule demands; rawplain.test: the same in plain HTTP
raw_leaf = ws.leaf("raw.test", "rawsigned.test")


def names(more=()):
    one = [(n + ".test", [PUBLIC2]) for n in ("plain", "signed", "raw", "rawsigned", "rawplain", "denied")]
    one += [(HOST, [PUBLIC])] + [(f"a{i}.wild.test", [PUBLIC2]) for i in range(WILD)] + list(more)
    return "resolver = { hosts = ( " + ", ".join(
        f'{{ name = "{n}"; addresses = [{", ".join(chr(34) + a + chr(34) for a in at)}]; }}' for n, at in one) + " ); };"


def http(host, port):
    return s.rule(host, more=f'scheme = "http"; port = {port};', trust=False)


RULES = ", ".join([
    s.rule(), http("plain.test", plain.port), http("*.wild.test", plain.port), http("rawplain.test", raw.port),
    s.rule("signed.test", more=f"port = {signed.port}; {WIMSE}"), s.rule("raw.test", more=f"port = {raw.port};"),
    s.rule("rawsigned.test", more=f"port = {raw.port}; {WIMSE}")])
SIGNED, RAW, RAW_SIGNED = f"signed.test:{signed.port}", f"raw.test:{raw.port}", f"rawsigned.test:{raw.port}"
PLAIN, RAW_PLAIN = f"plain.test:{plain.port}", f"rawplain.test:{raw.port}"


def config(rules="", hosts=(), **changed):
    return s.config(**{"rules": RULES + rules, "names": names(hosts), **changed})


def reload(**changed):
    line = s.h.reload(config(**changed))
    assert line["msg"] == "config reloaded", (line, s.h.tail())


reload()


def under(limits="", **changed):
    """A promise that holds under these limits."""
    def wrap(function):
        def run():
            reload(limits=limits, **changed)
            try:
                function()
            finally:
                s.origin.answer = plain.answer = signed.answer = echo
                reload()
        run.__name__ = function.__name__
        return promise(run)
    return wrap


def told(mark, reason, n=1):
    """The log's word on the n exchanges since mark."""
    lines = s.h.wait_requests(n, mark)
    assert len(lines) == n and all(li["reason"] == reason for li in lines), lines
    return lines[0]


def still_serves():
    s.h.assert_alive()
    assert s.h.get().status == 200


def plain_get(host=PLAIN, path="/", more=""):
    return f"GET http://{host}{path} HTTP/1.1\r\nHost: {host}\r\n{more}\r\n"


def small_window():
    """A connection of the workload's whose kernel takes little for it."""
    return Channel(connect(*s.h.door(), window=4096))


# ---- clients that do not read, leave half, or pause

def nothing_but_a_head(connection, request):
    connection.reply(204, b"", [("X-Pad", "y" * 4000)])


def pour_requests(h, host):
    """Asks without ever reading until the other side takes no more; how many requests were worked off."""
    request = plain_get(host).encode() * 200
    plain.answer = nothing_but_a_head
    mark, sent = h.index(), 0
    with contextlib.closing(connect(*h.door())) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65536)
        while select.select([], [sock], [], 1)[1] and sent < 8 << 20:
            sent += sock.send(request)
        plain.answer = echo
        assert sent < 8 << 20, "every request was taken"
        return len(h.requests(mark))


@rows([("refused", "denied.test"), ("answered", PLAIN)])
def a_client_that_pipelines_and_never_reads_is_not_asked_for_more(row):
    answered = pour_requests(s.h, row[1])
    assert answered < 20000, f"{answered} requests were answered for nobody"
    still_serves()


@promise
def a_client_that_pipelines_and_never_reads_does_not_grow_the_binary_we_ship():
    if not os.path.exists(RELEASE):
        raise Skip(f"{RELEASE} is not built")
    h = Holdfast(ws, config(), binary=RELEASE, name="release")
    for _ in range(20):
        h.get(target="denied.test:443")
    before = h.resident_kib()
    for host in ("denied.test", PLAIN):
        pour_requests(h, host)
    assert h.resident_kib() - before < 4096, (before, h.resident_kib())
    h.stop()


def as_asked(connection, request):
    """As many bytes as the path says."""
    connection.reply(200, b"z" * int(request.target[1:]))


def let_pass_idle():
    """As long as connection_idle, by Holdfast's own clock: an idle connection's end is waited for."""
    with s.h.open() as c:
        assert c.request("GET", "http://denied.test/", "denied.test").status == 403
        c.read_to_end()


# Somewhere among these the service has said all, and the last of it stands in Holdfast and not in the kernel.
SIZES = [61440 * i for i in range(30, 62)]


@rows([("half-closed", "", True), ("kept", "", False), ("to-be-closed", "Connection: close\r\n", False)])
def a_client_that_half_closes_or_pauses_gets_the_whole_answer(row):
    _, field, half = row
    plain.answer = as_asked
    reload(limits='connection_idle = "2500ms";')        # longer than any end Holdfast gives a connection by itself
    mark = s.h.mark()
    with contextlib.ExitStack() as open_ones:
        clients = [open_ones.enter_context(small_window()) for _ in SIZES]
        for c, size in zip(clients, SIZES):
            c.send(plain_get(path=f"/{size}", more=field))
            if half:
                c.sock.shutdown(socket.SHUT_WR)
        answers = [c.read_head() for c in clients]
        let_pass_idle()
        for c, answer in zip(clients, answers):
            c.read_body(answer)
    lines = [li for li in s.h.wait_requests(len(SIZES) + 1, mark) if li["status"] == 200]
    assert sorted(li["out"] for li in lines) == SIZES and {li["reason"] for li in lines} == {"ok"}, lines
    plain.answer = echo
    reload()


# ---- floods

def wire_under(tls):
    """The same connection, below TLS."""
    wire = socket.socket(fileno=os.dup(tls.fileno()))
    wire.settimeout(5)
    return Channel(wire)


@promise
def a_flood_of_key_updates_ends_the_connection_and_others_are_served_meanwhile():
    log = ws.file("keys-of-a-client", "")
    context = s.h.client_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.keylog_filename = log
    mark = s.h.mark()
    with s.h.tls(context=context) as c, wire_under(c.sock) as wire:
        flood = key_updates(c.sock.cipher()[0], secret_of(log, "CLIENT_TRAFFIC_SECRET_0"), 4000)
        with contextlib.suppress(Closed):
            for at in range(0, len(flood), len(flood) // 8):
                assert s.h.get().status == 200
                wire.send(flood[at:at + len(flood) // 8])
        wire.read_to_end()      # within five seconds: no deadline of a head, which would end it as well
    still_serves()
    assert all(li["reason"] in ("ok", "client_gone", "client_tls") for li in s.h.requests(mark))


@promise
def a_service_that_floods_with_key_updates_is_left():
    log = ws.file("keys-of-a-service", "")
    context = server_context(raw_leaf, minimum_version=ssl.TLSVersion.TLSv1_3, num_tickets=0, keylog_filename=log)

    def flood(sock):
        tls = context.wrap_socket(sock, server_side=True)
        tls.recv(65536)
        with contextlib.closing(tls), wire_under(tls) as wire:
            wire.sock.settimeout(60)
            wire.send(key_updates(tls.cipher()[0], secret_of(log, "SERVER_TRAFFIC_SECRET_0"), 1000))
            wire.read_to_end()

    raw.serve = flood
    mark = s.h.mark()
    answer = s.h.get(target=RAW)
    assert (answer.status, answer.reason) in ((502, "upstream_tls"), (502, "upstream_closed")), answer.line
    told(mark, answer.reason)
    still_serves()


# ---- what may not stand in a trailer

def chunked(host, trailers, path="/trailers", fields=()):
    head = f"POST {path} HTTP/1.1\r\nHost: {host}\r\nTransfer-Encoding: chunked\r\n" + "".join(f"{n}: {v}\r\n" for n, v in fields)
    return head + "\r\n5\r\nhello\r\n0\r\n" + "".join(f"{n}: {v}\r\n" for n, v in trailers) + "\r\n"


SECRETS = [(n, "s3cret") for n in (
    "X-Vault-Token", "X-Goog-Api-Key", "X-Gitlab-Token", "Cookie2", "X-Remote-User", "Remote-User", "Metadata-Flavor",
    "Proxy", "X-Original-Host", "X-Envoy-Original-Path", "X-Auth-Request-User", "Authentication", "X-Amz-Signature",
    "Ocp-Apim-Subscription-Key", "X-Amz-Credential")]


def send_trailers(target, trailers):
    with s.h.tls(target) as c:
        c.send(chunked(target, trailers))
        return c.read_answer("POST")


@promise
def a_credential_in_a_trailer_is_stripped_as_in_a_head():
    mark, seen = s.h.mark(), len(signed.requests)
    assert send_trailers(SIGNED, SECRETS[:8] + [("Checksum", "fine")]).status == 200
    assert send_trailers(SIGNED, SECRETS[8:]).status == 200
    first, second = signed.requests[seen:]
    assert [t.lower() for t in first.trailers] == ["checksum: fine"] and second.trailers == [], (first.trailers, second.trailers)
    assert b"s3cret" not in signed.raw()
    told(mark, "ok", 2)


@under(more='filters = { strip = { on_sight = "refuse"; }; };')
def a_credential_in_a_trailer_is_refused_on_sight():
    mark = s.h.mark()
    try:
        answer = send_trailers(SIGNED, SECRETS[:1])
        assert (answer.status, answer.reason) == (403, "raw_credential"), answer.line
    except Closed:
        pass
    told(mark, "raw_credential")
    assert b"s3cret" not in signed.raw()


# ---- deadlines

def drip(channel, byte=b"x"):
    """A byte whenever nothing was said for a while: how long until something was, or the end came."""
    begun = time.monotonic()
    channel.sock.settimeout(0.05)
    while time.monotonic() - begun < 8:
        try:
            channel.pending += channel.sock.recv(65536)
            break
        except (socket.timeout, ssl.SSLWantReadError):
            with contextlib.suppress(Closed):
                channel.send(byte)
        except OSError:
            break
    channel.sock.settimeout(20)
    return time.monotonic() - begun


SOON = 4        # seconds: ten deadlines, and a slow machine


@under(SHORT)
def a_head_that_drips_in_has_its_deadline():
    mark = s.h.mark()
    with s.h.tls() as c:
        c.send(f"GET / HTTP/1.1\r\nHost: {HOST}\r\nX: ")
        assert drip(c) < SOON
        assert c.read_answer().reason == "head_timeout"
    told(mark, "head_timeout")


@under(SHORT)
def a_body_that_a_proof_covers_drips_in_no_longer_than_its_deadline():
    mark, seen = s.h.mark(), len(signed.requests)
    with s.h.tls(SIGNED) as c:
        c.send(f"POST / HTTP/1.1\r\nHost: {SIGNED}\r\nContent-Length: 16000\r\n\r\n")
        assert drip(c) < SOON
        assert c.read_answer("POST").reason == "body_timeout"
    told(mark, "body_timeout")
    assert len(signed.requests) == seen


@under(SHORT)
def bytes_of_the_next_request_do_not_prolong_the_wait_for_an_answer():
    done = threading.Event()
    s.origin.answer = lambda c, r: done.wait(30)
    mark = s.h.mark()
    with s.h.tls() as c:
        c.send(f"GET / HTTP/1.1\r\nHost: {HOST}\r\n\r\n")
        assert drip(c, b"G") < SOON
        assert c.read_answer().reason == "upstream_timeout"
    assert s.h.wait_requests(1, mark)[0]["reason"] == "upstream_timeout"    # what dripped in may begin another
    done.set()


@under(SHORT)
def an_answers_head_that_drips_in_has_its_deadline():
    def answer(connection, request):
        connection.send(b"HTTP/1.1 200 OK\r\nX: ")
        drip(connection)
        return True

    s.origin.answer = answer
    mark, begun = s.h.mark(), time.monotonic()
    assert s.h.get().reason == "upstream_timeout" and time.monotonic() - begun < SOON
    told(mark, "upstream_timeout")


@under('stream_buffer = "16k"; head = "128k"; head_timeout = "5s";')
def a_head_larger_than_the_buffer_is_read_whole():
    assert s.h.get(fields=[(f"X-{i}", "y" * 5000) for i in range(16)]).status == 200


# ---- services that lie, leave or speak out of turn

@promise
def a_service_that_resets_after_its_handshake_is_a_502():
    context = server_context(raw_leaf)
    raw.serve = lambda sock: reset(context.wrap_socket(sock, server_side=True))
    mark = s.h.mark()
    answers = [s.h.get(target=RAW) for _ in range(40)]
    assert {(a.status, a.reason) for a in answers} <= {(502, "upstream_closed"), (502, "upstream_tls")}, {a.line for a in answers}
    assert {li["reason"] for li in s.h.wait_requests(40, mark)} <= {"upstream_closed", "upstream_tls"}
    still_serves()


@promise
def a_reset_is_not_the_end_of_an_answer_that_ends_by_closing():
    read = threading.Event()

    def half(sock):
        sock.recv(65536)
        sock.sendall(b"HTTP/1.0 200 OK\r\n\r\nhalf")
        read.wait(20)
        reset(sock)

    raw.serve = half
    mark = s.h.mark()
    with s.h.open() as c:
        c.send(plain_get(RAW_PLAIN))
        answer = c.read_head()
        c.until(b"half")
        read.set()
        assert answer.get("transfer-encoding") == "chunked"
        assert b"\r\n0\r\n" not in b"\r\n" + c.read_to_end(), "it looked whole"
    told(mark, "upstream_closed")


def speak_first(got):
    """A service that answers in the flight of its handshake's end, before it was asked; what it is sent goes to `got`."""
    context = server_context(raw_leaf, maximum_version=ssl.TLSVersion.TLSv1_2)

    def serve(sock):
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = context.wrap_bio(incoming, outgoing, server_side=True)
        while True:
            try:
                tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                sock.sendall(outgoing.read())
                incoming.write(sock.recv(65536))
        tls.write(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged")
        sock.sendall(outgoing.read())
        with contextlib.suppress(ssl.SSLError):
            while data := sock.recv(65536):
                incoming.write(data)
                got.append(tls.read(65536))
    return serve


@rows([("without-credential", RAW, "GET", 0), ("with-credential", RAW_SIGNED, "GET", 0),
       ("while-a-body-is-awaited", RAW_SIGNED, "POST", 4), ("while-a-body-streams", RAW_SIGNED, "POST", 100000)])
def an_answer_before_the_question_is_refused(row):
    _, target, method, size = row
    got = []
    raw.serve = speak_first(got)
    length = f"Content-Length: {size}\r\n" if size else ""
    for _ in range(25):         # how the handshake's messages fall into packets is chance
        mark = s.h.mark()
        with s.h.tls(target) as c:
            c.send(f"{method} /secret HTTP/1.1\r\nHost: {target}\r\n{length}\r\n")
            if size == 4:
                let_the_head_be_read()
                c.send("body")
            answer = c.read_answer(method)
            assert (answer.status, answer.reason) == (502, "upstream_malformed"), (answer.line, answer.body)
        assert s.h.wait_requests(2 if size == 4 else 1, mark)[-1]["reason"] == "upstream_malformed"
    assert not any(b"secret" in g for g in got), got
    still_serves()


def let_the_head_be_read():
    """Whatever came before this request has been seen by the thread that serves. In the clear: how often a caller is
    refused inside TLS is limited, and a fast machine gets there."""
    with s.h.open() as c:
        assert c.request("GET", "http://denied.test/", "denied.test").status == 403


@promise
def what_a_service_says_on_an_idle_connection_is_never_an_answer():
    """Many services say 408 before they close a connection that was idle."""
    context = server_context(raw_leaf)
    speak, gone = threading.Event(), threading.Event()

    def serve(sock):
        tls = context.wrap_socket(sock, server_side=True)
        tls.recv(65536)
        tls.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nours")
        speak.wait(20)
        tls.sendall(b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n")
        with contextlib.suppress(OSError):
            tls.recv(65536)
        gone.set()

    raw.serve = serve
    with s.h.tls(RAW_SIGNED) as c:
        assert c.request("GET", "/", RAW_SIGNED).body == b"ours"
        c.send(f"POST / HTTP/1.1\r\nHost: {RAW_SIGNED}\r\nContent-Length: 4\r\n\r\n")
        speak.set()
        assert gone.wait(20), "the connection was kept"
        c.send("body")
        assert c.read_answer("POST").body == b"ours"
    still_serves()


@promise
def a_connection_that_was_dialled_but_not_verified_is_never_used_again():
    """The workload leaves in the moment its service's connection is there; whoever asks next must find it verified."""
    context = server_context(raw_leaf)
    clear = []

    def serve(sock):
        first = sock.recv(4096, socket.MSG_PEEK)
        if first and first[0] != 0x16:
            clear.append(first)
            sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nclear")
            return
        tls = context.wrap_socket(sock, server_side=True)
        while data := tls.recv(65536):
            if b"\r\n\r\n" in data:
                tls.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\nTLS")

    raw.serve = serve
    shared = s.h.client_context()
    chance = random.Random(1)
    with s.h.tls(RAW_SIGNED) as c:
        for i in range(200):
            leaver = s.h.tls(RAW_SIGNED, context=shared)
            leaver.send(f"GET /leave HTTP/1.1\r\nHost: {RAW_SIGNED}\r\n\r\n")
            leave_at = time.perf_counter() + chance.random() * 0.003
            while time.perf_counter() < leave_at:
                pass
            if i % 2:
                reset(leaver.sock)
            else:
                leaver.close()
            assert c.request("GET", "/next", RAW_SIGNED).body == b"TLS" and not clear, clear
    still_serves()


@promise
def a_client_that_leaves_between_connect_and_tls_ends_alone():
    request = b"CONNECT allowed.test:443 HTTP/1.1\r\nHost: allowed.test:443\r\n\r\n"
    hello = client_hello([b"allowed.test"])
    for i in range(200):
        sock = connect(*s.h.door())
        sock.sendall(request + (b"\x16" if i % 2 else hello))
        reset(sock)
    still_serves()


@promise
def a_silent_address_does_not_keep_us_from_the_next():
    full = socket.create_server((PRIVATE, signed.port), backlog=0)
    waiting = [socket.socket() for _ in range(4)]       # fills the queue of connections nobody accepts
    for w in waiting:
        w.setblocking(False)
        w.connect_ex((PRIVATE, signed.port))
    more = f'port = {signed.port}; addresses = ["{PRIVATE}"];'
    reload(limits='connect_timeout = "400ms";', rules=", " + s.rule("two.test", more=more),
           hosts=[("two.test", [PRIVATE, PUBLIC2])])
    signed_too = ws.leaf("two.test")
    signed._context = server_context(signed_too)
    try:
        mark, target = s.h.mark(), f"two.test:{signed.port}"
        with s.h.tls(target) as c:
            answer = c.request("GET", "/", target)
            assert answer.status == 200, (answer.line, answer.body)
        assert told(mark, "ok")["up"] == f"{PUBLIC2}:{signed.port}"
    finally:
        signed._context = server_context(ws.leaf("signed.test"))
        for w in [full, *waiting]:
            w.close()
        reload()


@under('connections = 8;')
def the_hosts_of_a_wildcard_leave_no_more_than_so_many_idle_connections():
    s.h.mark()
    before = s.h.descriptors()
    with s.h.open() as c:
        for i in range(WILD):
            assert c.request("GET", f"http://a{i}.wild.test:{plain.port}/", f"a{i}.wild.test:{plain.port}").status == 200
        s.h.mark()          # the last exchange is over
        left = s.h.descriptors() - before
    assert left <= 8 + 1, f"{left} descriptors more"


# ---- what a proof says, and to whom

@under('connection_idle = "2500ms";')
def a_proof_is_fresh_when_the_body_took_its_time():
    seen = len(signed.requests)
    with s.h.tls(SIGNED) as c:
        begun = int(time.time())
        assert c.request("GET", "/", SIGNED).status == 200
        c.send(f"POST / HTTP/1.1\r\nHost: {SIGNED}\r\nContent-Length: 4\r\n\r\n")
        let_pass_idle()
        sent = int(time.time())
        c.send("body")
        assert c.read_answer("POST").status == 200
    first, second = (jose.parts(r.get("workload-proof-token"))[1]["exp"] for r in signed.requests[seen:])
    assert sent - begun >= 2 and second - sent >= first - begun - 1, (first - begun, second - sent)


service = Origin("127.0.0.1", 0)
issuer, holder = jose.Issuer(), jose.Key()
gate_leaf = ws.leaf("orders.test", "other.test")
os.chown(gate_leaf.key, PROXY_UID, PROXY_UID)
FACTS = 'methods = "any"; subjects = "any"; grants = "any"; purposes = "any";'
GATE = gate_config(
    gate_leaf, f"http://127.0.0.1:{service.port}", ws.file("gate.jwks.json", json.dumps({"keys": [issuer.public_jwk]})),
    names='"https://orders.test", "https://other.test"', listen=PRIVATE + ":0",
    rules=f'{{ paths = ["/packages/**"]; encoded_slashes = "pass"; {FACTS} }}, {{ paths = "any"; {FACTS} }}',
    more='limits = { head_timeout = "400ms"; handshakes = 8; };')
gate = Holdfast(ws, GATE, name="gate")
TO_GATE = ssl.create_default_context(cafile=ws.ca.file)


def at_gate():
    return Channel(connect(*gate.door("gate"), uid=OTHER_UID)).start_tls(TO_GATE, "orders.test")


def proved(url, **more):
    wit = issuer.wit(holder)
    return [("Workload-Identity-Token", wit), ("Workload-Proof-Token", jose.wpt(holder, wit, url, **more))]


@promise
def a_proof_for_one_of_a_gates_names_is_refused_at_another():
    mark, seen = gate.mark(), len(service.requests)
    with at_gate() as c:
        fields = proved("https://orders.test/x")
        answer = c.request("GET", "/x", "other.test", fields)
        assert (answer.status, answer.reason) == (400, "proof_audience"), answer.line
        assert c.request("GET", "/x", "orders.test", fields).status == 200
    assert [li["reason"] for li in gate.wait_requests(2, mark)] == ["proof_audience", "ok"]
    assert len(service.requests) == seen + 1


@promise
def facts_forged_in_trailers_do_not_pass_a_gate():
    mark, seen = gate.mark(), len(service.requests)
    forged = ["X-Holdfast-Subject", "Remote-User", "X-Remote-User", "X-Forwarded-User", "X-Auth-Request-User",
              "X-Envoy-Original-Path", "X-Original-Host", "Forwarded"]
    for name in forged:
        with at_gate() as c:
            c.send(chunked("orders.test", [(name, "forged")], fields=proved("https://orders.test/trailers", method="POST")))
            answer = c.read_answer("POST")
            assert answer.status == 200 or answer.reason == "trailer", (name, answer.line, answer.body)
    assert {li["reason"] for li in gate.wait_requests(len(forged), mark)} <= {"ok", "trailer"}
    assert not [t for r in service.requests[seen:] for t in r.trailers] and b"forged" not in service.raw()


@promise
def a_body_that_drips_in_without_a_proof_does_not_hold_a_gate():
    mark = gate.mark()
    with at_gate() as c:
        c.send("POST / HTTP/1.1\r\nHost: orders.test\r\nContent-Length: 16000\r\n\r\n")
        assert drip(c) < SOON
        reason = c.read_answer("POST").reason
        assert reason in ("body_timeout", "token_missing"), reason
    assert gate.wait_requests(1, mark)[0]["reason"] == reason


@promise
def connections_that_say_nothing_do_not_shut_a_gate():
    silent = [connect(*gate.door("gate"), uid=OTHER_UID) for _ in range(64)]
    with at_gate() as c:
        assert c.request("GET", "/x", "orders.test").reason == "token_missing"
    for sock in silent:
        sock.close()


@promise
def an_encoded_slash_is_refused_at_a_gate_unless_the_rule_passes_it():
    seen = len(service.requests)
    with at_gate() as c:
        path = "/v1/a%2Fb"
        answer = c.request("GET", path, "orders.test", proved("https://orders.test" + path))
        assert (answer.status, answer.reason) == (403, "encoded_slash"), answer.line
        path = "/packages/a%2Fb"
        assert c.request("GET", path, "orders.test", proved("https://orders.test" + path)).status == 200
    assert [r.target for r in service.requests[seen:]] == [path]


@promise
def an_encoded_slash_is_refused_going_out_unless_the_rule_passes_it():
    open_rule = s.rule(paths='["/packages/**"]', more='encoded_slashes = "pass";')
    assert s.h.reload(s.config(rules=open_rule + ", " + s.rule(paths='["/v1/**"]')))["msg"] == "config reloaded"
    mark = s.mark()
    for path, reason in (("/v1/a%2fb", "encoded_slash"), ("/v1/%2Fb", "encoded_slash"), ("/packages/@a%2Fb", None)):
        answer = s.h.get(path)
        assert answer.reason == reason, (path, answer.line)
    requests, lines = s.since(mark, 3)
    assert [r.target for r in requests] == ["/packages/@a%2Fb"]
    assert [li["reason"] for li in lines] == ["encoded_slash"] * 2 + ["ok"]
    reload()


# ---- the log, the start, reloads

class Muffled(Holdfast):
    """Its log goes into a pipe that is read until it is ready, and then only when `reading` is set. What was
    in the pipe by then is out of it when `is_drained` is set."""

    def _read(self):
        self.reading = threading.Event()
        self.is_drained = threading.Event()
        fcntl.fcntl(self.process.stderr, fcntl.F_SETPIPE_SZ, 1 << 16)
        self.process.stderr = open(os.dup(self.process.stderr.fileno()), "rb", buffering=0)
        buffered = b""
        while chunk := self.process.stderr.read(4096):
            *whole, buffered = (buffered + chunk).split(b"\n")
            with self._changed:
                self.text += [li.decode() for li in whole]
                self.lines += [json.loads(li) for li in whole]
                self._changed.notify_all()
            if any(b'"ready"' in li for li in whole):
                self.reading.wait(60)
            if self.reading.is_set() and not select.select([self.process.stderr], [], [], 0)[0]:
                self.is_drained.set()


@promise
def a_log_that_nobody_reads_stops_nobody():
    h = Muffled(ws, config(), name="muffled")
    with h.open() as c:
        for i in range(1500):           # some 400 kB of log, and the pipe holds 64 kB
            assert c.request("GET", "http://denied.test/", "denied.test").status == 403
    h.reading.set()
    assert h.is_drained.wait(30)
    with h.open() as c:
        assert c.request("GET", "http://denied.test/last", "denied.test").status == 403
    h.wait_line(lambda li: li.get("path") == "/last", what="the line of a request after somebody reads again")
    assert len(h.requests()) < 1500
    h.kill(15)
    assert h.wait_exit() == 0


@promise
def a_connect_that_ends_without_a_request_is_told_of():
    for target in ("allowed.test:443", "denied.test:443"):
        mark = s.h.mark()
        channel, answer = s.h.connect(target)
        assert answer.status == 200
        channel.close()
        line = s.h.wait_for("connection", since=mark)
        assert (line["to"], line["reason"], line["uid"]) == (target, "client_gone", WORKLOAD_UID), line


@under('head_timeout = "300ms";')
def a_tunnel_in_which_nothing_is_said_is_told_of():
    mark = s.h.mark()
    channel, _ = s.h.connect()
    assert channel.is_closed()
    line = s.h.wait_for("connection", since=mark)
    assert (line["to"], line["reason"]) == ("allowed.test:443", "idle"), line


FEARED = [("grant-of-our-own-uid", PROXY_UID), ("grant-of-root", 0)]


@rows(FEARED)
def a_caller_that_could_read_our_memory_is_refused_at_the_start(row):
    name, uid = row
    h = Holdfast(ws, config(caller=f"{{ uid = {uid}; }}"), name=name, wait=False)
    assert h.wait_exit(30) == 78, h.tail()
    h.assert_clean()
    assert "equal_uid" in "\n".join(h.text) and not any(li.get("msg") == "ready" for li in h.lines), h.tail()


@rows(FEARED)
def a_caller_that_could_read_our_memory_is_refused_at_a_reload(row):
    mark = s.h.mark()
    assert s.h.reload(config(caller=f"{{ uid = {row[1]}; }}"))["msg"] == "config rejected"
    assert any(li["level"] == "error" and "uid" in str(li) for li in s.h.lines[mark:]), s.h.tail()
    answer = s.h.get(uid=row[1])
    assert (answer.status, answer.reason) == (403, "caller_not_allowed"), answer.line
    still_serves()


@promise
def the_logs_level_changes_by_a_reload():
    reload(log='log = { level = "debug"; };')
    mark = s.h.mark()
    still_serves()
    s.h.wait_line(lambda li: li["level"] == "debug", since=mark, what="a debug line")
    reload()
    mark = s.h.mark()
    still_serves()
    s.h.mark()
    assert not [li for li in s.h.lines[mark:] if li["level"] == "debug"]


@promise
def what_a_reload_cannot_change_is_refused_with_a_line():
    mark = s.h.mark()
    line = s.h.reload(config(limits="leaves = 2; refusal_leaves = 3;"))
    assert line["msg"] == "config rejected", line
    text = "\n".join(str(li) for li in s.h.lines[mark:] if li["level"] == "error")
    assert "limits.leaves" in text and "limits.refusal_leaves" in text, text
    still_serves()


def end():
    gate.stop()
    s.end()


main(end)
