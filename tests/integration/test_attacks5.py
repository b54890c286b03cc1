"""A workload and a service that know HTTP/2's frames better than those that we serve."""

import contextlib
import signal

import h2_frames as h2
from h2_origin import tunnel
from h2_scene import Scene
from h2_stream import Stream
from holdfast import ADDRESSES, Holdfast, main, own_network, promise, rows

own_network(ADDRESSES)
s = Scene()


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
    rule = f', {{ host = "two.test"; methods = "any"; paths = ["/chat"]; websocket = true; http = "2"; upstream_trust = "{s.ws.ca.file}"; }}'
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


main(s.end)
