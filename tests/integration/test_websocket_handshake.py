"""The handshake of a WebSocket over HTTP/1.1: what is refused, what is answered, and what goes out in its place."""

import sockets
from control import holdfast
from holdfast import main, promise, rows
from ws_scene import echo, end, h, line_of, opened, plain, service, tunnel

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
    plain.will(echo)
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


main(end)
