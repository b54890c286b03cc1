"""A workload and a service that know HTTP/2's frames better than those that we serve."""

import base64
import contextlib
import signal

import h2_frames as h2
import jose
from control import ask
from h2_origin import client_context, tunnel
from h2_peer import Peer
from h2_scene import Scene, WIT, answer_h1
from h2_stream import Stream
from holdfast import ADDRESSES, PUBLIC, WORKLOAD_UID, Holdfast, Origin, connect, grant, main, own_network, promise, rows

own_network(ADDRESSES)
s = Scene()
plain = Origin(PUBLIC, 80, answer=answer_h1)


def still_serves(p):
    a = p.request("GET", "/plain/x?bytes=3", "two.test").answer()
    assert (a.status, a.body_bytes) == (200, 3), a.fields


def raw(p, frames):
    """A request of ours whose frames are told one by one: `frames` of its number."""
    stream = p.streams[p.next_id] = Stream(p, p.next_id)
    p.next_id += 2
    for frame in frames:
        p.send(frame(stream.id))
    return stream


@contextlib.contextmanager
def beside(name, **changed):
    """Another Holdfast before the same services."""
    h = Holdfast(s.ws, s.config(**changed), name=name)
    yield h
    h.assert_clean()


# ---- heads

EARLY = h2.literal([(":status", "100"), *h2.request_fields("GET", "/plain/x", "two.test")])


@rows([("one-head", 1, 0), ("two-heads", 2, 0), ("three-heads", 3, 0), ("two-heads-and-a-body", 2, 1)])
def a_request_that_calls_itself_an_interim_answer_is_refused_once(row):
    _, heads, bodies = row
    frames = [lambda n: h2.headers(n, EARLY)] * heads + [lambda n: h2.frame(h2.DATA, h2.END_STREAM, n, b"abc")] * bodies
    with tunnel(s.h, "two.test:443") as p:
        together = [lambda n: b"".join(f(n) for f in frames)]
        apart = [lambda n, f=f: f(n) + h2.ping() for f in frames]
        for way in (together, apart):
            answer = raw(p, way).answer()
            assert answer.status == 400 and answer.reason in ("pseudo_field", "trailer"), answer.fields  # the second is a trailer's
        still_serves(p)


# ---- ends

@promise
def a_stop_that_drains_lets_an_upload_finish():
    before = len(s.two.requests)
    with beside("drains") as h, tunnel(h, "two.test:443") as p:
        stream = p.open(h2.request_fields("POST", "/plain/up", "two.test"), end=False)
        stream.data(b"a" * 1000)
        (arrived,) = s.two.wait_requests(before + 1)[before:]
        arrived.wait(lambda r: r.body_bytes == 1000, "what was sent so far")
        h.kill(signal.SIGTERM)
        p.wait(lambda q: q.goaways, "word of the end")
        stream.data(b"b" * 1000, end=True)
        assert stream.answer().json()["body_bytes"] == 2000
        p.close()
        assert h.wait_exit() == 0


WEBSOCKET = [(":method", "CONNECT"), (":protocol", "websocket"), (":scheme", "https"), (":authority", "two.test"), (":path", "/chat"),
             ("sec-websocket-version", "13")]


def accept(stream):
    """Takes the WebSocket, and says all that it has to say."""
    stream.head([(":status", "200")])
    stream.data(b"bye", end=True)


@contextlib.contextmanager
def sockets(name):
    rule = (', { host = "two.test"; methods = "any"; paths = ["/chat"]; websocket = true; http = "2"; '
            f'upstream_trust = "{s.ws.ca.file}"; }}')
    before = s.two.answer, s.two.settings
    s.two.answer, s.two.settings = accept, {h2.ENABLE_CONNECT_PROTOCOL: 1}
    try:
        with beside(name, rules=s.rules() + rule) as h:
            yield h
    finally:
        s.two.answer, s.two.settings = before


@promise
def a_client_that_vanishes_behind_its_services_end_leaves_no_half_a_socket():
    with sockets("vanishes") as h:
        mark = h.mark()
        with tunnel(h, "two.test:443") as p:
            stream = p.open(WEBSOCKET, end=False)
            assert stream.answer().status == 200
        (line,) = h.wait_requests(1, mark)      # not when nothing has moved for minutes
        assert (line["status"], line["reason"]) == (101, "client_gone"), line


@promise
def answers_that_nobody_reads_have_a_deadline_each():
    limits = 'stream_idle = "1s"; connection_idle = "1h";'
    with beside("unread", limits=limits) as h, tunnel(h, "two.test:443", window=0) as p:
        mark = h.mark()
        streams = [p.request("GET", "/plain/x?bytes=60000", "two.test") for _ in range(10)]
        assert {line["reason"] for line in h.wait_requests(10, mark)} == {"ok"}
        for stream in streams:
            assert stream.outcome() == ("reset", h2.INTERNAL_ERROR)
        p.ping()
        empty = p.request("GET", "/forbidden/x", "two.test")
        assert empty.wait_head().status == 403      # the connection itself is as good as it was


def proof(task):
    return ("proxy-authorization", "Basic " + base64.b64encode(f"{task['id']}:{task['password']}".encode()).decode())


@promise
def the_end_of_a_task_leaves_what_another_has_not_read_yet_on_their_connection():
    rules = grant('{ host = "one.test"; scheme = "http"; port = 80; methods = "any"; paths = "any"; }').replace('"standing"', '"required"')
    door = ', { kind = "forward"; listen = "127.0.0.1:0"; h2c = true; }'
    with beside("two-tasks", grants=rules, doors=door) as h:
        first, second = [ask(h.run + "/control.sock", "task_start", grant="tests", purpose="testing") for _ in range(2)]
        mark = h.mark()
        with Peer(connect(*h.door("forward", 1), uid=WORKLOAD_UID), False, window=1) as p:
            unread = p.request("GET", "/x?bytes=60000", "one.test", [proof(first)], scheme="http")
            h.wait_requests(1, mark)
            empty = p.request("GET", "/x?status=204", "one.test", [proof(second)], scheme="http")
            assert empty.answer().status == 204
            lines = h.wait_requests(2, mark)
            assert [line["task"] for line in lines] == [first["id"], second["id"]], lines
            assert ask(h.run + "/control.sock", "task_end", id=second["id"])["ok"]
            again = p.request("GET", "/x?status=204", "one.test", [proof(second)], scheme="http").answer()
            assert again.status in (403, 407), again.fields
            p.send(h2.window_update(60000, unread.id))
            assert unread.answer().body_bytes == 60000


def tunnel_of(h, task):
    channel, answer = h.connect("two.test:443", fields=[proof(task)])
    assert answer.status == 200, answer.line
    return Peer(channel.start_tls(client_context(h), "two.test").sock, False)


@promise
def two_tasks_share_no_connection_to_a_service_and_the_end_of_one_is_its_own():
    before = len(s.two.requests)
    with beside("apart", grants=grant(s.rules()).replace('"standing"', '"required"')) as h:
        tasks = [ask(h.run + "/control.sock", "task_start", grant="tests", purpose="testing") for _ in range(2)]
        with tunnel_of(h, tasks[0]) as first, tunnel_of(h, tasks[1]) as second:
            running = [p.open(h2.request_fields("POST", f"/signed/{i % 2}", "two.test"), end=False)
                       for i, p in enumerate((first, second) * 5)]
            seen = s.two.wait_requests(before + 10)[before:]
            told = [{(id(r.peer), jose.parts(r.get(WIT))[1]["jti"]) for r in seen if r.target == f"/signed/{i}"} for i in range(2)]
            assert len({t for _, t in told[0]}) == len({t for _, t in told[1]}) == 1, "one token each"
            assert all({x[n] for x in told[0]}.isdisjoint({x[n] for x in told[1]}) for n in range(2)), told
            assert ask(h.run + "/control.sock", "task_end", id=tasks[0]["id"])["ok"]
            assert all(stream.outcome() != ("whole", 200) for stream in running[::2])
            for stream in running[1::2]:
                stream.data(b"x", end=True)
                assert stream.answer().json()["body_bytes"] == 1


@promise
def a_service_is_told_that_the_connection_of_a_task_that_ended_carries_no_more():
    with beside("leave", grants=grant(s.rules()).replace('"standing"', '"required"')) as h:
        task = ask(h.run + "/control.sock", "task_start", grant="tests", purpose="testing")
        before = len(s.two.requests)
        with tunnel_of(h, task) as p:
            assert p.request("GET", "/plain/last", "two.test").answer().status == 200
            peer = s.two.wait_requests(before + 1)[-1].peer
            assert ask(h.run + "/control.sock", "task_end", id=task["id"])["ok"]
            peer.wait_over()
            assert [code for _, code, _ in peer.goaways] == [h2.NO_ERROR], peer.goaways


main(s.end)
