"""Long streams: no time-out but that of silence, and every piece is passed on at once, whichever way and in whichever HTTP."""

import threading

from h2_origin import H2Origin, tunnel
from holdfast import (ADDRESSES, PUBLIC, PUBLIC2, Holdfast, Origin, Workspace, forward_config, hosts, main, own_network, rows)

own_network(ADDRESSES)
ws = Workspace()
EVENTS, PAUSE_S = 3, 1
# All that could end a stream too early is shorter than the stream; what may end it is longer than its pauses by far.
SHORT = ('head_timeout = "2s"; handshake_timeout = "2s"; connect_timeout = "2s"; connection_idle = "2s"; pool_idle = "2s"; '
         'stream_idle = "60s";')
heard = threading.Semaphore(0)
nobody = threading.Event()


def pause():
    nobody.wait(PAUSE_S)            # no event: time itself is what must not matter


def event(n):
    return b"data: %d\n\n" % n


def pour(connection, request):
    """An event, and the next only when the one before is in the client's hands."""
    connection.read_body(request)
    connection.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
    for n in range(EVENTS):
        connection.send(b"%x\r\n%s\r\n" % (len(event(n)), event(n)))
        assert heard.acquire(timeout=120)
        pause()
    connection.send(b"0\r\n\r\n")


def pour2(stream):
    stream.head([(":status", "200"), ("content-type", "text/event-stream")])
    for n in range(EVENTS):
        stream.data(event(n))
        assert heard.acquire(timeout=120)
        pause()
    stream.data(b"", end=True)


def sip(connection, request):
    """Says of each piece that it is here."""
    def on_piece(_):
        if request.body_bytes % len("piece") == 0:
            heard.release()
    connection.read_body(request, on_piece)
    connection.reply(200, str(request.body_bytes))


def sip2(stream):
    got = 0
    while not stream.whole or stream.body_bytes > got:
        stream.wait(lambda s, got=got: s.body_bytes > got or s.whole, "a piece")
        for _ in range((stream.body_bytes - got) // 5):
            heard.release()
        got = stream.body_bytes
    stream.reply(200, str(got))


one = Origin(PUBLIC, 443, ws.leaf("one.test"))
two = H2Origin(PUBLIC2, 443, ws.leaf("two.test"))
RULES = ", ".join(f'{{ host = "{host}"; methods = "any"; paths = "any"; upstream_trust = "{ws.ca.file}"; }}' for host in ("one.test", "two.test"))
h = Holdfast(ws, forward_config(RULES, names=hosts(one_test=PUBLIC, two_test=PUBLIC2), limits=SHORT))


def by_1(host):
    with h.tls(f"{host}:443") as c:
        c.send(f"GET /events HTTP/1.1\r\nHost: {host}\r\n\r\n")
        assert c.read_head().status == 200
        for n in range(EVENTS):
            c.until(event(n))
            heard.release()
        c.until(b"0\r\n\r\n")


def by_2(host):
    with tunnel(h, f"{host}:443") as peer:
        s = peer.request("GET", "/events", host)
        for n in range(EVENTS):
            assert s.wait(lambda s, n=n: event(n) in s.body, f"event {n}")
            heard.release()
        assert s.answer().status == 200


def to_1(host):
    with h.tls(f"{host}:443") as c:
        c.send(f"POST /pieces HTTP/1.1\r\nHost: {host}\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in range(EVENTS):
            c.send(b"5\r\npiece\r\n")
            assert heard.acquire(timeout=120)
            pause()
        c.send(b"0\r\n\r\n")
        assert c.read_answer("POST").body == b"15"


def to_2(host):
    with tunnel(h, f"{host}:443") as peer:
        s = peer.open([(":method", "POST"), (":scheme", "https"), (":authority", host), (":path", "/pieces")], end=False)
        for _ in range(EVENTS):
            s.data(b"piece")
            assert heard.acquire(timeout=120)
            pause()
        s.data(b"", end=True)
        assert s.answer().body == b"15"


@rows([("by_http_1_to_http_1", by_1, "one.test"), ("by_http_2_to_http_1", by_2, "one.test"),
       ("by_http_1_to_http_2", by_1, "two.test"), ("by_http_2_to_http_2", by_2, "two.test")])
def an_answer_goes_on_for_as_long_as_something_comes(row):
    _, client, host = row
    one.answer, two.answer = pour, pour2
    mark = h.mark()
    client(host)
    line, = h.wait_requests(1, mark)
    assert line["reason"] == "ok" and line["ms"] >= 900 * EVENTS * PAUSE_S, line


@rows([("by_http_1_to_http_1", to_1, "one.test"), ("by_http_2_to_http_1", to_2, "one.test"),
       ("by_http_1_to_http_2", to_1, "two.test"), ("by_http_2_to_http_2", to_2, "two.test")])
def an_upload_goes_on_for_as_long_as_something_comes(row):
    _, client, host = row
    one.answer, two.answer = sip, sip2
    mark = h.mark()
    client(host)
    line, = h.wait_requests(1, mark)
    assert line["reason"] == "ok" and line["ms"] >= 900 * EVENTS * PAUSE_S, line


def end():
    h.stop()
    ws.remove()


main(end)
