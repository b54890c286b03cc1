"""The life of a stream: whoever ends it, early or late, by RST_STREAM, GOAWAY, a reload, a drain or a task's end, its neighbours
go on, and what was cut is never taken for whole."""

import base64
import contextlib
import signal
import socket
import threading

import h2_frames as h2
import jose
from control import ask
from h2_origin import H2Origin, client_context, tunnel
from h2_peer import Peer
from h2_scene import SERVICES, Scene, WIT, answer_h1, answer_h2
from holdfast import ADDRESSES, Closed, Holdfast, PRIVATE, PUBLIC, PUBLIC2, WORKLOAD_UID, grant, hosts, main, own_network, promise, rows
from ops import DOOR
from patience import until

own_network(ADDRESSES)
PINGS_IN_A_MINUTE = 600
PATIENT = 'head_timeout = "1h"; connection_idle = "1h"; stream_idle = "1h"; worker_stuck = "1h";'
s = Scene(limits=PATIENT, doors=DOOR)
GRPC = [("h1", "h1"), ("h2", "h2")]
TO = [(f"to-{k}", k) for k in SERVICES]


class Held:
    """A service that begins an answer and waits to be told how it goes on; the connection of HTTP/1 has one at a time."""

    def __init__(self, kind, begin=True, body=b"first"):
        self.kind, self.begins, self.body = kind, begin, body
        self.there = threading.Semaphore(0)
        self.go_on, self.gone = threading.Event(), threading.Event()
        self.requests = []

    def __enter__(self):
        if self.kind == "h1":
            s.one.answer = self._h1
        else:
            s.two.answer = self._h2
        return self

    def __exit__(self, *_):
        self.go_on.set()
        s.one.answer, s.two.answer = answer_h1, answer_h2

    def arrived(self, n=1):
        for _ in range(n):
            assert self.there.acquire(timeout=120), "no request arrived"

    def _h1(self, connection, request):
        if not request.target.startswith("/plain/held"):
            return answer_h1(connection, request)
        self.requests.append(request)
        if self.begins:
            connection.read_body(request)
            connection.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n")
        self.there.release()
        watch = threading.Thread(target=self._watch, args=(connection,), daemon=True)
        watch.start()
        self.go_on.wait(300)
        with contextlib.suppress(OSError):
            connection.send((b"" if self.begins else b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n") + b"4\r\nlast\r\n0\r\n\r\n")
        return True

    def _watch(self, connection):
        with contextlib.suppress(Exception):
            while connection.read():
                pass
        self.gone.set()

    def _h2(self, stream):
        if not stream.target.startswith("/plain/held"):
            return answer_h2(stream)
        self.requests.append(stream)
        if self.begins:
            stream.head([(":status", "200")])
            stream.data(b"first")
        self.there.release()
        threading.Thread(target=self._watch_h2, args=(stream,), daemon=True).start()
        self.go_on.wait(300)
        if not self.begins:
            stream.head([(":status", "200")])
        return stream.data(b"last", end=True)

    def _watch_h2(self, stream):
        stream.peer.wait(lambda p: stream.reset is not None or p.over, "its end", 600)
        self.gone.set()


def get(p, host, path="/plain/x?bytes=5"):
    return p.request("GET", path, host)


def neighbours_are_well(p, host):
    for _ in range(3):
        assert get(p, host).answer().body_bytes == 5


# ---- ended by the client

PHASES = [(f"{to}-{phase}", kind, phase) for to, kind in TO for phase in ("asking", "waiting", "taking")]


@rows(PHASES)
def a_stream_that_the_client_takes_back_ends_at_the_service_and_alone(row):
    _, kind, phase = row
    host, mark = SERVICES[kind], s.h.mark()
    with Held(kind, begin=phase == "taking") as held, tunnel(s.h, f"{host}:443") as p:
        if phase == "asking":
            stream = p.open(h2.request_fields("POST", "/plain/held", host), end=False)
            stream.data(b"some of it")
        else:
            stream = get(p, host, "/plain/held")
        held.arrived()
        if phase == "taking":
            stream.wait(lambda x: x.body_bytes == 5, "the beginning")
        stream.cancel()
        assert held.gone.wait(120), "the service was not told"
        neighbours_are_well(p, host)
        assert not p.goaways
    lines = s.h.wait_requests(4, mark)
    (line,) = [li for li in lines if li["path"] == "/plain/held"]
    assert line["reason"] == "client_gone", line


@rows(TO)
def when_the_client_goes_all_its_streams_end_at_the_service(row):
    _, kind = row
    host = SERVICES[kind]
    with Held(kind) as held, tunnel(s.h, f"{host}:443") as p:
        streams = [get(p, host, f"/plain/held/{i}") for i in range(5)]
        held.arrived(5)
        for stream in streams:
            stream.wait(lambda x: x.body_bytes == 5, "the beginning")
        p.close()
        assert held.gone.wait(120)
        if kind == "h2":
            until(lambda: all(r.reset is not None or r.peer.over for r in held.requests), "the end of all")


@promise
def a_client_that_says_goaway_gets_what_it_had_asked_for():
    with Held("h2") as held, tunnel(s.h, "two.test:443") as p:
        stream = get(p, "two.test", "/plain/held")
        held.arrived()
        p.send(h2.goaway(0))
        held.go_on.set()
        assert stream.answer().body == b"firstlast"


# ---- ended by the service

@promise
def a_service_that_resets_before_it_answers_is_a_502_and_its_neighbours_go_on():
    def broken(stream):
        if stream.target.startswith("/plain/broken"):
            return stream.cancel(h2.INTERNAL_ERROR)
        return answer_h2(stream)
    s.two.answer = broken
    for client in ("h1", "h2"):
        answer = s.asking(client, "h2")("POST", "/plain/broken", body=b"x")
        assert answer.status == 502 and answer.reason, answer.status
    with tunnel(s.h, "two.test:443") as p:
        bad = [get(p, "two.test", "/plain/broken") for _ in range(5)]
        neighbours_are_well(p, "two.test")
        assert {x.answer().status for x in bad} == {502}
    s.two.answer = answer_h2


@rows(GRPC)
def an_answer_that_the_service_cuts_is_cut_for_the_client(row):
    """Also behind its declared end of head; and the other way of HTTP says it in its own words."""
    _, client = row

    def cut(stream):
        stream.head([(":status", "200")])
        stream.data(b"some")
        stream.cancel(h2.INTERNAL_ERROR)
    s.two.answer = cut
    mark = s.h.mark()
    try:
        if client == "h2":
            with tunnel(s.h, "two.test:443") as p:
                told = get(p, "two.test").outcome()
                assert told[0] == "reset" and told[1] != h2.NO_ERROR, told
        else:
            with s.h.tls("two.test:443") as c:
                c.send_request("GET", "/plain/x", "two.test")
                try:
                    answer = c.read_answer()
                    raise AssertionError(f"it was taken for whole: {answer.body}")
                except Closed:
                    pass
        (line,) = s.h.wait_requests(1, mark)
        assert line["reason"] == "upstream_closed", line
    finally:
        s.two.answer = answer_h2


@promise
def a_request_that_the_service_says_it_did_nothing_with_is_asked_again_with_a_new_proof():
    refused = []

    def once(stream):
        if not refused:
            refused.append(stream)
            return stream.cancel(h2.REFUSED_STREAM)
        return answer_h2(stream)
    s.two.answer = once
    before = len(s.two.requests)
    assert s.asking("h2", "h2")("GET", "/signed/again").status == 200
    s.two.answer = answer_h2
    first, second = s.two.requests[before:]
    assert first is refused[0] and s.proof(first, "GET", "https://two.test/signed/again")["jti"] != \
        s.proof(second, "GET", "https://two.test/signed/again")["jti"]


@promise
def a_service_that_says_goaway_finishes_what_it_has_and_is_asked_no_more_there():
    with Held("h2") as held, tunnel(s.h, "two.test:443") as p:
        stream = get(p, "two.test", "/plain/held")
        held.arrived()
        peer = held.requests[0].peer
        before = len(peer.streams)
        peer.send(h2.goaway(held.requests[0].id))
        peer.wait(lambda q: not q.unsent(), "it to be sent")
        s.h.mark()
        neighbours_are_well(p, "two.test")
        assert s.two.requests[-1].peer is not peer and len(peer.streams) <= before + 1, "what crossed the GOAWAY may be there"
        held.go_on.set()
        assert stream.answer().body == b"firstlast"
        peer.wait_over()


@promise
def what_a_goaway_leaves_out_is_asked_again_elsewhere():
    left_out = []

    def leave_out(stream):
        if not left_out:
            left_out.append(stream)
            stream.peer.send(h2.goaway(0))
            return None
        return answer_h2(stream)
    s.two.answer = leave_out
    s.two.hang_up()
    assert s.asking("h2", "h2")("GET", "/plain/x?bytes=5").bytes == 5
    s.two.answer = answer_h2


@promise
def a_service_that_hangs_up_cuts_what_it_had_and_others_are_served():
    with Held("h2") as held, tunnel(s.h, "two.test:443") as p:
        begun = [get(p, "two.test", f"/plain/held/{i}") for i in range(3)]
        held.arrived(3)
        for stream in begun:
            stream.wait(lambda x: x.body_bytes == 5, "the beginning")
        for request in held.requests:
            request.peer.close()
        assert {stream.outcome()[0] for stream in begun} == {"reset"}
        neighbours_are_well(p, "two.test")


@promise
def a_service_that_allows_few_streams_is_asked_for_no_more_once_it_has_said_so():
    """What crosses its first word it refuses, as RFC 9113 section 5.1.2 has it, and is asked for again."""
    most, now, lock = 2, {}, threading.Lock()

    def count(stream):
        with lock:
            now[stream.peer] = now.get(stream.peer, 0) + 1
            many = now[stream.peer]
        if many <= most:
            stream.answer()
            stream.reply(200, b"fives")
        with lock:
            now[stream.peer] -= 1
        if many > most:
            stream.cancel(h2.REFUSED_STREAM)
            refused.append(stream)
    refused = []
    s.two.hang_up()
    until(lambda: all(p.over for p in s.two.connections), "the end of those before")
    s.two.settings, s.two.answer = {h2.MAX_CONCURRENT_STREAMS: most}, count
    try:
        with tunnel(s.h, "two.test:443") as p:
            assert get(p, "two.test").answer().status == 200
            streams = [get(p, "two.test") for _ in range(40)]
            outcomes = [(x.answer().status, x.reason) for x in streams]
            assert {o[0] for o in outcomes} == {200}, (outcomes, len(refused))
            said = len(refused)
            for _ in range(5):
                assert {x.answer().status for x in [get(p, "two.test") for _ in range(most)]} == {200}
            assert len(refused) == said, "it was asked for more than it said"
    finally:
        s.two.settings, s.two.answer = None, answer_h2
        s.two.hang_up()


@promise
def a_burst_opens_no_more_connections_than_it_needs():
    """One connection is given a hundred; of those without a place one connects, and the others wait for what comes of it."""
    held = []
    s.two.answer, s.two.more["inline"] = held.append, True
    s.two.hang_up()
    until(lambda: all(p.over for p in s.two.connections), "the end of those before")
    s.two.forget()
    h = another("burst", workers=1)
    peers = [tunnel(h, "two.test:443") for _ in range(4)]
    streams = [get(p, "two.test") for p in peers for _ in range(100)]
    until(lambda: len(held) == 400, "all of them")
    assert len(s.two.connections) <= 8, sorted(len(p.streams) for p in s.two.connections)
    for stream in held:
        stream.reply(200, b"fives")
    assert {x.answer().status for x in streams} == {200}
    s.two.answer, s.two.more["inline"] = answer_h2, False
    for p in peers:
        p.close()
    h.stop()


@promise
def who_waits_for_anothers_connection_outlives_the_addresses_that_do_not_answer():
    deaf = [socket.create_server((at, 8444), backlog=0) for at in (PUBLIC, PRIVATE)]
    waiting = []
    for listener in deaf * 4:           # fills the queues of connections that nobody accepts
        w = socket.socket()
        w.setblocking(False)
        w.connect_ex(listener.getsockname())
        waiting.append(w)
    service = H2Origin(PUBLIC2, 8444, s.ws.leaf("far.test"))
    rule = f'{{ host = "far.test"; port = 8444; methods = "any"; paths = "any"; upstream_trust = "{s.ws.ca.file}"; ' \
           f'addresses = ["{PRIVATE}/32", "{PUBLIC}/32", "{PUBLIC2}/32"]; }}'
    h = another("far", grants=grant(rule), names=hosts(far_test=[PUBLIC, PRIVATE, PUBLIC2]),
                limits=PATIENT + 'connect_timeout = "4s"; handshake_timeout = "2s";')
    with tunnel(h, "far.test:8444") as p:
        streams = [p.request(path="/", authority="far.test:8444") for _ in range(5)]
        assert [x.answer().status for x in streams] == [200] * 5
    h.stop()
    service.stop()
    for listener in deaf + waiting:
        listener.close()


# ---- ended by Holdfast

def another(name, **changed):
    return Holdfast(s.ws, s.config(**changed), name=name)


@rows(TO)
def a_drain_says_goaway_and_finishes_what_is_under_way(row):
    _, kind = row
    host = SERVICES[kind]
    h = another(f"draining-{kind}", limits=PATIENT + ' drain = "1h";')
    with Held(kind) as held, tunnel(h, f"{host}:443") as p:
        stream = get(p, host, "/plain/held")
        held.arrived()
        stream.wait(lambda x: x.body_bytes == 5, "the beginning")
        since = h.index()
        h.kill(signal.SIGTERM)
        h.wait_draining(since)
        p.wait(lambda q: q.goaways, "GOAWAY")
        assert p.goaways[-1][1] == h2.NO_ERROR and p.goaways[-1][0] >= stream.id, p.goaways
        held.go_on.set()
        assert stream.answer().body == b"firstlast"
        p.wait_over()
    assert h.wait_exit() == 0
    h.assert_clean()


@promise
def a_reload_leaves_what_runs_and_judges_what_comes_on_the_same_connection():
    h = another("reloaded")
    with Held("h2") as held, tunnel(h, "two.test:443") as p:
        stream = get(p, "two.test", "/plain/held")
        held.arrived()
        assert get(p, "two.test", "/plain/y").answer().status == 200
        line = h.reload(s.config(rules=s.rules().replace('"/plain/**"', '"/plain/x", "/plain/held"')))
        assert line["msg"] == "config reloaded", line
        answer = get(p, "two.test", "/plain/y").outcome()
        if answer == ("whole", 200) or p.goaways:
            raise AssertionError(f"{answer}, {p.goaways}: judged by the rules of before, or sent away")
        assert answer == ("whole", 403)
        assert get(p, "two.test", "/plain/x").answer().status == 200
        held.go_on.set()
        assert stream.answer().body == b"firstlast"
    h.stop()


@promise
def an_idle_stream_is_cut_alone():
    h = another("idle", limits='head_timeout = "1h"; connection_idle = "1h"; stream_idle = "2s"; worker_stuck = "1h";')
    mark = h.mark()
    with Held("h2") as held, tunnel(h, "two.test:443") as p:
        stream = get(p, "two.test", "/plain/held")
        held.arrived()
        assert stream.outcome()[0] == "reset"
        assert held.gone.wait(120)
        assert not p.goaways and not p.over
    (line,) = [li for li in h.wait_requests(1, mark) if li["path"] == "/plain/held"]
    assert line["reason"] != "ok", line
    h.stop()


@promise
def an_idle_connection_is_ended_with_goaway():
    h = another("resting", limits='head_timeout = "1h"; connection_idle = "1s"; stream_idle = "1h"; worker_stuck = "1h";')
    with tunnel(h, "two.test:443") as p:
        assert get(p, "two.test").answer().status == 200
        p.wait_over()
        assert p.goaways and p.goaways[-1][1] == h2.NO_ERROR, p.goaways
    with tunnel(h, "two.test:443") as p:
        assert get(p, "two.test").answer().status == 200
        for _ in range(PINGS_IN_A_MINUTE):
            if p.over:
                break
            p.send(h2.ping())       # which asks for nothing
            with contextlib.suppress(AssertionError):
                p.wait_over(0.1)    # many at once would be a flood
        assert p.goaways and p.goaways[-1][1] == h2.NO_ERROR, p.goaways
    h.stop()


# ---- tasks

def tasked():
    def one(name):
        rule = f'{{ host = "two.test"; methods = "any"; paths = "any"; upstream_trust = "{s.ws.ca.file}"; ' \
               'credential = "orders"; bind = ["wimse"]; inject = "always"; }'
        return f"""
  {{ name = "{name}"; owner = "tests@example"; approved_by = "security@example"; ticket = "SEC-1"; approved_at = "2026-11-01";
    expires_at = "2099-01-01"; purposes = ["testing"]; task = "required"; ttl = "1h"; caller = {{ uid = {WORKLOAD_UID}; }};
    rules = ( {rule} ); }}"""
    return another("tasked", grants=one("nightly"))


def tunnel_of(h, task):
    told = base64.b64encode(f"{task['id']}:{task['password']}".encode()).decode()
    channel, answer = h.connect("two.test:443", fields=[("Proxy-Authorization", "Basic " + told)])
    assert answer.status == 200, answer.body
    return Peer(channel.start_tls(client_context(h), "two.test").sock, False)


@promise
def the_end_of_a_task_cuts_its_streams_and_no_other():
    h = tasked()
    socket = f"{h.run}/control.sock"
    first, second = (ask(socket, "task_start", grant="nightly", purpose="testing") for _ in range(2))
    with Held("h2") as held, tunnel_of(h, first) as a, tunnel_of(h, first) as b, tunnel_of(h, second) as c:
        cut = [get(p, "two.test", f"/plain/held/{i}") for i in range(3) for p in (a, b)]
        kept = [get(c, "two.test", f"/plain/held/{i}") for i in range(3)]
        held.arrived(9)
        for stream in cut + kept:
            stream.wait(lambda x: x.body_bytes == 5, "the beginning")
        assert ask(socket, "task_end", id=first["id"])["ok"]
        outcomes = {stream.outcome() for stream in cut}
        assert all(o[0] != "whole" for o in outcomes), outcomes
        held.go_on.set()
        assert {stream.answer().body for stream in kept} == {b"firstlast"}
        assert get(c, "two.test").answer().status == 200
        tasks = {id(r.peer): set() for r in held.requests}
        for r in held.requests:
            tasks[id(r.peer)].add(jose.parts(r.get(WIT))[1][jose.CONTEXT]["task"])
        assert all(len(t) == 1 for t in tasks.values()) and len(tasks) >= 2, tasks
        with contextlib.suppress(Closed):
            answer = get(a, "two.test").answer()
            assert answer.status in (403, 407), answer.status
    h.stop()


@promise
def two_tasks_never_share_a_connection_to_the_service():
    h = tasked()
    tasks = [ask(f"{h.run}/control.sock", "task_start", grant="nightly", purpose="testing") for _ in range(4)]
    s.two.forget()
    peers = [tunnel_of(h, t) for t in tasks]
    streams = [get(p, "two.test") for _ in range(25) for p in peers]
    assert {x.answer().status for x in streams} == {200}
    used = {}
    for r in s.two.requests:
        used.setdefault(r.peer, set()).add(jose.parts(r.get(WIT))[1][jose.CONTEXT]["task"])
    assert all(len(t) == 1 for t in used.values()), used.values()
    assert {t for ts in used.values() for t in ts} == {t["id"] for t in tasks}
    for p in peers:
        p.close()
    h.stop()


@promise
def what_was_dialled_for_a_task_that_is_renewed_meanwhile_is_not_kept_behind_it():
    renewed = threading.Event()

    def greet(peer):
        assert renewed.wait(300)
        peer.send(h2.settings({}))
    service = H2Origin(PUBLIC2, 8443, s.ws.leaf("two.test"), greeting=False, on_connection=greet)
    rule = f'{{ host = "two.test"; port = 8443; methods = "any"; paths = "any"; upstream_trust = "{s.ws.ca.file}"; }}'
    h = another("renewed", grants=grant(rule, ttl="10s"), log='log = { level = "debug"; };',
                limits=PATIENT + 'handshake_timeout = "1h"; connect_timeout = "1h"; pool_idle = "1h";')
    with tunnel(h, "two.test:8443") as p:
        stream = p.request(path="/plain/x", authority="two.test:8443")
        service.wait(lambda o: o.connections, "the connection")
        h.wait_line(lambda li: li.get("msg") == "task ended" and li["cause"] == "renewed", timeout=300, what="the renewal")
        renewed.set()
        assert stream.answer().status == 200
        service.connections[0].wait_over()
    h.stop()
    service.stop()


main(s.end)
