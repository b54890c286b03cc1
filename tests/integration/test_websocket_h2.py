"""WebSocket over HTTP/2 (RFC 8441), on either side or both: a stream among others, judged and ended like any of them."""

import os
import socket
import ssl
import subprocess
import threading

import sockets
from control import ask
from h2_origin import H2Origin, h2, tunnel
from holdfast import (ADDRESSES, CREDENTIAL, PUBLIC, PUBLIC2, WORKLOAD_UID, Closed, Gone, Holdfast, Origin, Workspace,
                      forward_config, grant, hosts, main, own_network, promise, rows, run_as)
from sockets import accept, echo_bytes, echo_stream, question
from strangers import Service, node_folder, python_has, tool

own_network(ADDRESSES)
ws = Workspace()
TRUST = f'upstream_trust = "{ws.ca.file}";'
SIGNED = 'credential = "orders"; bind = ["wimse"]; inject = "always";'


def rule(host, more="", paths='"any"'):
    return f'{{ host = "{host}"; methods = "any"; paths = {paths}; {SIGNED} {TRUST} {more} }}'


RULES = ", ".join([rule("allowed.test", "websocket = true;", '["/chat/**"]'), rule("allowed.test", "", '["/quiet", "/run/**"]'),
                   rule("two.test", 'websocket = true; http = "2"; port = 8443;'),
                   rule("node.test", 'websocket = true; http = "2"; port = 9443;'),
                   rule("either.test", "websocket = true; port = 9443;"),
                   rule("python.test", "websocket = true;")])
NAMES = hosts(allowed_test=PUBLIC, two_test=PUBLIC, node_test=PUBLIC2, either_test=PUBLIC2, python_test=PUBLIC2)
python_has("websockets", "python3-websockets")


class Script:
    """What the service does with each thing it is asked, changed by each test; and what went wrong there."""

    def __init__(self):
        self.then, self.done, self.failed = None, threading.Event(), None

    def will(self, then):
        self.then, self.failed = then, None
        self.done.clear()

    def __call__(self, *asked):
        try:
            return self.then(*asked)
        except Exception as e:
            self.failed = e
            raise
        finally:
            self.done.set()

    def wait(self):
        assert self.done.wait(120), "the service did not get to its end"
        if self.failed and not isinstance(self.failed, (Gone, Closed)):
            raise self.failed


one, two = Script(), Script()
origin = Origin(PUBLIC, 443, ws.leaf("allowed.test"), answer=one)
origin2 = H2Origin(PUBLIC, 8443, ws.leaf("two.test"), answer=two, settings={h2.ENABLE_CONNECT_PROTOCOL: 1})
stranger = sockets.PythonService(PUBLIC2, 443, ws.leaf("python.test"))
h = Holdfast(ws, forward_config(RULES, names=NAMES))


def ask_socket(peer, then=None, **told):
    """A stream that asks for a WebSocket, and its answer's head."""
    if then:
        one.will(then)
    stream = peer.open(question(**told), end=False)
    return stream.wait_head()


def heard(stream, what):
    assert stream.wait(lambda s: what in s.body, f"{what!r} of the socket"), (stream.reset, stream.body)


# ---- strangers

@promise
def the_door_says_that_it_takes_them():
    with tunnel(h) as peer:
        peer.wait(lambda p: p.settings_seen, "its settings")
        assert peer.told[h2.ENABLE_CONNECT_PROTOCOL] == 1


def node_client(uri, count, *messages):
    script = os.path.join(node_folder(ws, "ws"), "socket_h2_client.mjs")
    done = run_as(WORKLOAD_UID, [tool("node"), script, h.proxy, uri, h.bundle, str(count), *messages], timeout=300)
    assert done.returncode == 0, done.stderr.decode()
    return [sockets.json.loads(line) for line in done.stdout.splitlines()]


@promise
def node_talks_with_python_which_knows_nothing_of_http_2():
    before, mark = len(stranger.opened), h.mark()
    told = node_client("https://python.test/chat", 5, "one", "two")
    assert [t["messages"] for t in told] == [[f"one {n}", f"two {n}"] for n in range(5)], told
    assert {t["protocol"] for t in told} == {"chat"} and sorted(t["code"] for t in told) == [4000 + n for n in range(5)]
    seen = stranger.opened[before:]
    assert len(seen) == 5
    for _, fields in seen:
        assert len(sockets.vouched(fields)) == 2, "signed for"
    tokens = {dict(fields)["workload-proof-token"] for _, fields in seen}
    assert len(tokens) == 5, "each by itself"
    assert sorted(stranger.wait_closed(before + n)[0] for n in range(1, 6)) == [4000 + n for n in range(5)]
    lines = h.wait_requests(5, mark)
    assert [(li["status"], li["method"], li["reason"]) for li in lines] == [(101, "GET", "ok")] * 5, lines


def node_service(leaf):
    return Service([tool("node"), os.path.join(node_folder(ws, "ws"), "socket_h2_service.mjs"), PUBLIC2, "9443", leaf.certificate, leaf.key])


@promise
def node_talks_with_node_by_http_2_all_the_way():
    there = node_service(ws.leaf("node.test", "either.test"))
    try:
        mark = h.mark()
        told = node_client("https://node.test:9443/chat", 3, "x" * 100000)
        assert [t["messages"] for t in told] == [["x" * 100000 + f" {n}"] for n in range(3)], (told, h.tail())
        there.wait(lambda calls: sum(c["event"] == "close" for c in calls) == 3, "three closes")
        begun = [c for c in there.calls if c["event"] == "open"]
        assert all(c.get(":protocol") == "websocket" and c.get("sec-websocket-version") == "13" for c in begun)
        assert not any(c.get("sec-websocket-key") or c.get("connection") for c in begun)
        assert len({c.tokens for c in begun}) == 3 and all(all(c.tokens) for c in begun)
        assert [li["reason"] for li in h.wait_requests(3, mark)] == ["ok"] * 3
        python_talks_with_node()
    finally:
        there.stop()


def python_talks_with_node():
    """HTTP/1.1 in front, HTTP/2 behind."""
    async def conversation(s):
        await s.send("hello")
        assert await s.recv() == "hello"
        await s.send(b"\0\xff" * 200000)
        assert await s.recv() == b"\0\xff" * 200000
        await s.close(4010, "enough")
        return s.subprotocol, s.close_code

    mark = h.mark()
    channel, answer = h.connect("node.test:9443")
    assert answer.status == 200
    context = h.client_context()
    said = sockets.talk(channel, "wss://node.test:9443/chat", conversation, context, subprotocols=["chat"])
    assert said == ("chat", 4010)
    line, = h.wait_requests(1, mark)
    assert (line["status"], line["reason"]) == (101, "ok")


# ---- by hand

@promise
def bytes_go_both_ways_and_each_side_ends_for_itself():
    mark = h.mark()
    with tunnel(h) as peer:
        s = ask_socket(peer, accept(echo_bytes))
        assert s.status == 200 and not s.whole and s.get("sec-websocket-accept") is None and s.get("upgrade") is None, s.fields
        s.data(b"hello")
        heard(s, b"hello")
        s.data(b", and goodbye", end=True)
        assert s.answer().body == b"hello, and goodbye"
        one.wait()
        peer.ping()
        assert s.reset in (None, h2.NO_ERROR)
    line, = h.wait_requests(1, mark)
    assert (line["status"], line["reason"], line["in"], line["out"]) == (101, "ok", 18, 18), line


@promise
def what_comes_before_the_acceptance_waits_for_it():
    early = threading.Event()

    def answer(connection, request):
        assert early.wait(120)
        got = bytes(connection.pending)
        connection.send(sockets.acceptance(request, glued=b"glued"))
        connection.send(connection.read() + got)
        connection.say_end()
        return True
    one.will(answer)
    with tunnel(h) as peer:
        s = peer.open(question(), end=False)
        s.data(b"early")
        peer.ping()
        early.set()
        heard(s, b"gluedearly")
        s.data(b"", end=True)
        assert s.answer().body == b"gluedearly"


@promise
def by_http_2_behind_it_is_the_same():
    two.will(echo_stream)
    mark = h.mark()
    with tunnel(h, "two.test:8443") as peer:
        s = ask_socket(peer, authority="two.test:8443")
        assert s.status == 200
        s.data(b"hello")
        heard(s, b"hello")
        s.data(b"", end=True)
        assert s.answer().body == b"hello"
    asked = origin2.requests[-1]
    assert (asked.method, asked.get(":protocol"), asked.get("sec-websocket-version")) == ("CONNECT", "websocket", "13")
    assert h.wait_requests(1, mark)[0]["reason"] == "ok"


REFUSED = [
    {"id": "where_its_rule_does_not_allow_it", "path": "/quiet", "told": (403, "websocket_not_allowed")},
    {"id": "for_another_protocol", "protocol": "connect-udp", "told": (403, "upgrade_refused")},
    {"id": "without_a_version", "more": (), "told": (400, "websocket_handshake")},
    {"id": "with_another_version", "more": [("sec-websocket-version", "8")], "told": (400, "websocket_version")},
]


@rows(REFUSED)
def a_refused_one_leaves_its_neighbours_alone(row):
    told = {k: v for k, v in row.items() if k not in ("id", "told")}
    before = len(origin.requests)
    with tunnel(h) as peer:
        beside = ask_socket(peer, accept(echo_bytes))
        assert beside.status == 200
        s = ask_socket(peer, **told).answer()
        assert (s.status, s.reason) == row["told"]
        assert s.get("sec-websocket-version") == ("13" if row["told"][1] == "websocket_version" else None)
        beside.data(b"still here")
        heard(beside, b"still here")
        beside.data(b"", end=True)
        assert beside.answer().whole
    assert len(origin.requests) == before + 1


@promise
def another_answer_is_an_answer():
    def answer(connection, request):
        connection.reply(403, "not you")
        return True
    with tunnel(h) as peer:
        s = ask_socket(peer, answer).answer()
        assert (s.status, s.body) == (403, b"not you")
        peer.ping()


@promise
def an_answer_that_accepts_nothing_is_not_heard_as_if_it_did():
    def answer(connection, request):
        connection.reply(200, "a page")
        return True
    with tunnel(h) as peer:
        s = ask_socket(peer, answer).answer()
        assert (s.status, s.reason) == (502, "upstream_websocket"), (s.status, s.body)
        peer.ping()


@promise
def an_acceptance_of_another_key_is_none():
    def answer(connection, request):
        connection.send(sockets.acceptance(request, accept=sockets.ACCEPT))
        return True
    with tunnel(h) as peer:
        s = ask_socket(peer, answer).answer()
        assert (s.status, s.reason) == (502, "upstream_websocket")


@promise
def a_service_of_http_2_that_takes_none_is_told_of():
    service = H2Origin(PUBLIC, 8444, ws.leaf("without.test"))
    other = Holdfast(ws, forward_config(rule("without.test", 'websocket = true; http = "2"; port = 8444;'), names=hosts(without_test=PUBLIC)), name="without")
    with tunnel(other, "without.test:8444") as peer:
        s = ask_socket(peer, authority="without.test:8444").answer()
        assert (s.status, s.reason) == (502, "websocket_not_taken")
    assert not service.requests
    other.stop()
    service.stop()


@promise
def a_client_that_takes_its_stream_back_ends_the_services_side():
    gone = threading.Event()

    def until_gone(connection, _):
        try:
            connection.read()
        except Gone:
            gone.set()
    mark = h.mark()
    with tunnel(h) as peer:
        s = ask_socket(peer, accept(until_gone))
        s.cancel()
        assert gone.wait(120)
        peer.ping()
    assert h.wait_requests(1, mark)[0]["reason"] == "client_gone"


@promise
def a_service_that_is_gone_is_no_end_that_anybody_meant():
    def go(connection, _):
        connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        connection.sock.close()
    mark = h.mark()
    with tunnel(h) as peer:
        s = ask_socket(peer, accept(go))
        kind, code = s.outcome()
        assert kind == "reset" and code != h2.NO_ERROR
        peer.ping()
    assert h.wait_requests(1, mark)[0]["reason"] == "upstream_closed"


@promise
def a_large_message_goes_through_at_the_windows_pace():
    whole = os.urandom(4 << 20)
    with tunnel(h, keep=len(whole)) as peer:
        s = ask_socket(peer, accept(echo_bytes))
        s.data(whole, end=True)
        assert s.answer().body == whole


@promise
def a_reader_that_stops_holds_up_its_own_stream_alone():
    """No window is given for what it does not read: the service is stuck, a neighbour is not, and memory stays."""
    most, stuck = 64 << 20, threading.Event()

    def pour(connection, _):
        connection.sock.settimeout(5)
        piece, n = b"z" * 65536, 0
        try:
            while n < most:
                n += connection.sock.send(piece)
        except (socket.timeout, ssl.SSLWantWriteError):
            stuck.set()
    before = h.resident_kib()
    with tunnel(h) as peer:
        peer.credits = False
        s = ask_socket(peer, accept(pour))
        assert s.status == 200
        assert stuck.wait(300)
        one.will(lambda c, r: c.reply(200, "beside it") or True)
        assert peer.request("GET", "/quiet").answer().body == b"beside it"
        assert h.resident_kib() - before < 16 << 10
        s.cancel()
        peer.ping()


@promise
def the_end_of_its_task_takes_it_back():
    told = grant(RULES).replace('task = "standing"; ttl = "15m";', 'task = "required"; ttl = "1h";')
    tasks = Holdfast(ws, lambda at: forward_config("", grants=told, names=NAMES)(at) + f'control = {{ socket = "{at.run}/control.sock"; }};\n',
                     name="tasks")
    assert ask(f"{tasks.run}/control.sock", "task_start", grant="tests", purpose="testing")["ok"]
    with tunnel(tasks) as peer:
        s = ask_socket(peer, accept(echo_bytes))
        s.data(b"hello")
        heard(s, b"hello")
        assert ask(f"{tasks.run}/control.sock", "task_revoke", grant="tests")["ended"] == 1
        kind, code = s.outcome()
        assert kind in ("reset", "gone") and code != h2.NO_ERROR, (kind, code)
    one.wait()
    assert tasks.wait_requests(1)[0]["reason"] == "task_ended"
    tasks.stop()


PAGE = """<!doctype html><title>a page</title><script>
const socket = new WebSocket("wss://allowed.test/chat/page");
socket.onopen = () => socket.send("from a browser");
socket.onmessage = (e) => { socket.heard = e.data; socket.close(4005, "enough"); };
socket.onclose = (e) => fetch("/run/told?" + encodeURIComponent(socket.heard + ", closed " + e.code));
</script>"""


@promise
def a_browser_opens_one_on_the_connection_that_its_page_came_by():
    """Chromium's WebSocket goes by HTTP/2 where there is such a connection already."""
    told = threading.Event()

    def site(connection, request):
        if request.target == "/chat/page":
            connection.send(sockets.acceptance(request))
            while (message := sockets.read_frame(connection)) is not None:
                connection.send(sockets.answer_frame(*message))
            connection.say_end()
            return True
        connection.read_body(request)
        if request.target.startswith("/run/told"):
            told.set()
        connection.reply(200, PAGE, [("Content-Type", "text/html")])
        return False
    one.will(site)
    seen = len(origin.requests)
    home = ws.directory("browser", owner=WORKLOAD_UID)
    browser = subprocess.Popen(
        [tool("chromium-headless-shell"), "--no-sandbox", "--disable-gpu", f"--user-data-dir={home}", f"--proxy-server={h.proxy}",
         "--ignore-certificate-errors", "--disable-background-networking", "https://allowed.test/run/page"],
        user=WORKLOAD_UID, group=WORKLOAD_UID, extra_groups=[], env={"PATH": os.environ["PATH"], "HOME": home}, cwd="/",
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    mark = h.index()
    try:
        assert told.wait(300), [r.line for r in origin.requests[seen:]]
    finally:
        browser.kill()
        browser.wait()
    asked = {r.target.partition("?")[0]: r for r in origin.requests[seen:]}
    assert asked["/run/told"].target.endswith("from%20a%20browser%2C%20closed%204005"), asked["/run/told"].target
    assert asked["/chat/page"].get("workload-proof-token") and asked["/chat/page"].get("origin") == "https://allowed.test"
    lines = {li["path"]: li for li in h.wait_requests(3, mark) if li["path"] in asked}
    assert lines["/chat/page"]["status"] == 101 and lines["/chat/page"]["reason"] == "ok", lines
    assert lines["/chat/page"]["x"].partition(".")[0] == lines["/run/page"]["x"].partition(".")[0], "one connection for both"


def end():
    h.stop()
    ws.remove()


main(end)
