"""HTTP/1.1 as clients and services really speak it: reuse, pipelining, chunks, trailers, 100-continue, bodiless answers,
early answers, half-closed ends, streams."""

import socket
import threading

from holdfast import (ADDRESSES, PUBLIC, Closed, Origin, Sidecar, echo, main, own_network, promise, rows)

own_network(ADDRESSES)
PLAIN = ', { host = "allowed.test"; scheme = "http"; port = 80; methods = "any"; paths = "any"; }'
plain = Origin(PUBLIC, 80)
s = Sidecar(also=PLAIN, log='log = { level = "debug"; };')
HOST = "allowed.test"


def scripted(answer):
    """Decorator: the promise runs with this answer at the service."""
    def wrap(function):
        def run():
            s.origin.answer = answer
            try:
                function()
            finally:
                s.origin.answer = echo
        run.__name__ = function.__name__
        return promise(run)
    return wrap


@promise
def one_connection_carries_many_requests_both_sides():
    mark, before = s.mark(), len(s.origin.connections)
    with s.h.tls() as c:
        for i in range(20):
            assert c.request("GET", f"/keep/{i}", HOST).status == 200
    s.since(mark, 20)
    assert len(s.origin.connections) - before <= 1, "the upstream connection is used again"


@promise
def pipelined_requests_are_answered_in_their_order():
    mark = s.mark()
    with s.h.tls() as c:
        c.send("".join(f"GET /pipe/{i} HTTP/1.1\r\nHost: {HOST}\r\n\r\n" for i in range(10)))
        for i in range(10):
            assert c.read_answer().json()["target"] == f"/pipe/{i}"
    s.since(mark, 10)


@promise
def a_pipelined_request_that_is_refused_stops_there():
    mark = s.mark()
    with s.h.tls() as c:
        c.send(f"GET /ok HTTP/1.1\r\nHost: {HOST}\r\n\r\nGET /bad HTTP/1.1\r\nHost : {HOST}\r\n\r\n"
               f"GET /never HTTP/1.1\r\nHost: {HOST}\r\n\r\n")
        assert c.read_answer().status == 200
        assert c.read_answer().reason == "field_name"
        assert c.is_closed()
    requests, _ = s.since(mark, 2)
    assert [r.target for r in requests] == ["/ok"]


def let_our_turn_pass():
    """So long as another's request takes: what was sent before has been looked at by then, or is at the next."""
    s.h.get()


@promise
def a_client_that_rests_goes_on_where_it_stopped():
    mark = s.mark()
    with s.h.tls() as c:
        for i in range(5):
            head = f"GET /rest/{i} HTTP/1.1\r\nHost: {HOST}\r\nX-Half: whole\r\n\r\n"
            for piece in (head[:1], head[1:30], head[30:]):
                let_our_turn_pass()
                c.send(piece)
            assert c.read_answer().json()["target"] == f"/rest/{i}"
    requests, _ = s.since(mark, 20)
    assert [r.get("x-half") for r in requests if r.target.startswith("/rest/")] == ["whole"] * 5


@promise
def of_empty_lines_before_a_request_one_is_skipped_however_long_the_client_rests_between_them():
    request = f"GET / HTTP/1.1\r\nHost: {HOST}\r\n\r\n"
    with s.h.tls() as c:
        for _ in range(3):
            for piece in ("\r", "\n", request):
                c.send(piece)
                let_our_turn_pass()
            assert c.read_answer().status == 200
        for piece in ("\r\n", "\r\n"):
            c.send(piece)
            let_our_turn_pass()
        assert c.read_answer().status == 400
        assert c.is_closed()


@promise
def a_client_that_ends_while_it_rests_is_ended():
    with s.h.tls() as c:
        assert c.request("GET", "/", HOST).status == 200
        let_our_turn_pass()
        c.sock.unwrap()


@promise
def a_chunked_body_arrives_whole_and_reframed():
    mark = s.mark()
    with s.h.tls() as c:
        c.send(f"POST /c HTTP/1.1\r\nHost: {HOST}\r\nTransfer-Encoding: chunked\r\n\r\n")
        for piece in ("1\r\na\r\n", "A\r\n0123456789\r\n", "2;x=y\r\nbc\r\n"):
            c.send(piece)
        c.send("0\r\n\r\n")
        answer = c.read_answer("POST")
        assert answer.json()["body_bytes"] == 13
    (request,), _ = s.since(mark)
    assert request.body == b"a0123456789bc"
    assert request.all("transfer-encoding") == ["chunked"] and request.get("content-length") is None
    assert b";x=y" not in bytes(request.connection.raw), "an extension is the client's own framing"


@promise
def trailers_pass_and_stay_trailers():
    mark = s.mark()
    with s.h.tls() as c:
        c.send(f"POST /t HTTP/1.1\r\nHost: {HOST}\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n"
               "2\r\nhi\r\n0\r\nX-Sum: 7\r\n\r\n")
        assert c.read_answer("POST").status == 200
    (request,), _ = s.since(mark)
    assert request.get("x-sum") is None
    assert [t.lower().replace(" ", "") for t in request.trailers] in (["x-sum:7"], [])


def answer_with_trailers(connection, request):
    connection.read_body(request)
    connection.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n"
                    b"5\r\nhello\r\n6;a=b\r\n world\r\n0\r\nX-Sum: 9\r\nContent-Length: 3\r\n\r\n")


@scripted(answer_with_trailers)
def a_chunked_answer_arrives_whole_and_its_forbidden_trailers_do_not():
    with s.h.tls() as c:
        answer = c.request("GET", "/", HOST)
        assert answer.body == b"hello world" and answer.whole
        assert not any("content-length" in t.lower() for t in answer.trailers), answer.trailers
        assert c.request("GET", "/again", HOST).body == b"hello world"


@promise
def expect_100_continue_is_asked_on_and_answered():
    mark = s.mark()
    with s.h.tls() as c:
        c.send(f"POST /e HTTP/1.1\r\nHost: {HOST}\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n")
        assert c.read_head().status == 100
        c.send("hello")
        assert c.read_answer("POST").json()["body_bytes"] == 5
    s.since(mark)


@promise
def expect_100_continue_of_a_refused_request_gets_its_refusal_at_once():
    with s.h.tls("denied.test:443") as c:
        c.send("POST /e HTTP/1.1\r\nHost: denied.test\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n")
        answer = c.read_answer("POST")
        assert answer.status == 403 and not answer.interim


def refuse_unread(connection, request):
    connection.reply(413, "too much", [("Connection", "close")])
    return True


@scripted(refuse_unread)
def a_service_that_refuses_instead_of_continuing_is_heard():
    with s.h.tls() as c:
        c.send(f"POST /e HTTP/1.1\r\nHost: {HOST}\r\nExpect: 100-continue\r\nContent-Length: 5000000\r\n\r\n")
        assert c.read_answer("POST").status == 413


@scripted(refuse_unread)
def an_early_answer_reaches_a_client_that_is_still_sending():
    with s.h.tls() as c:
        c.send(f"POST /early HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: 100000000\r\n\r\n" + "x" * 100000)
        assert c.read_answer("POST").status == 413


def bodiless(connection, request):
    connection.read_body(request)
    status = int(request.target.rsplit("/", 1)[1])
    if request.method == "HEAD":
        connection.send(f"HTTP/1.1 {status} OK\r\nContent-Length: 1234\r\n\r\n".encode())
    else:
        fields = [("Content-Length", "1234")] if status == 304 else []
        connection.reply(status, b"", fields)


@scripted(bodiless)
def answers_without_a_body_do_not_hold_up_the_next_one():
    mark = s.mark()
    with s.h.tls() as c:
        answer = c.request("HEAD", "/200", HOST)
        assert answer.status == 200 and answer.get("content-length") == "1234"
        assert c.request("GET", "/204", HOST).status == 204
        answer = c.request("GET", "/304", HOST)
        assert answer.status == 304 and answer.get("transfer-encoding") is None
        assert c.request("HEAD", "/404", HOST).status == 404
    s.since(mark, 4)


def hints(connection, request):
    connection.read_body(request)
    connection.send(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n")
    connection.reply(200, "done")


@scripted(hints)
def interim_answers_pass_to_a_client_that_knows_them():
    with s.h.tls() as c:
        answer = c.request("GET", "/", HOST)
        assert [i.status for i in answer.interim] == [103, 102] and answer.body == b"done"
        assert answer.interim[0].get("link") == "</a>"


@scripted(hints)
def an_http_1_0_client_is_sent_no_interim_answer_and_no_chunks():
    with s.h.tls() as c:
        c.send(f"GET /old HTTP/1.0\r\nHost: {HOST}\r\n\r\n")
        data = c.read_to_end()
        assert data.startswith(b"HTTP/1.") and b"200" in data.split(b"\r\n")[0]
        assert b"103" not in data and data.endswith(b"\r\n\r\ndone")


def chunked_answer(connection, request):
    connection.read_body(request)
    connection.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nabcd\r\n3\r\nefg\r\n0\r\n\r\n")


@scripted(chunked_answer)
def an_http_1_0_client_gets_a_chunked_answer_unchunked():
    with s.h.tls() as c:
        c.send(f"GET /old HTTP/1.0\r\nHost: {HOST}\r\n\r\n")
        data = c.read_to_end()
        assert data.endswith(b"\r\n\r\nabcdefg") and b"chunked" not in data.lower()


def until_close(connection, request):
    connection.read_body(request)
    connection.send(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nas long as it lasts")
    if request.target == "/said":
        connection.say_end()
    return True


@scripted(until_close)
def an_answer_that_ends_with_the_connection_keeps_its_end():
    with s.h.tls() as c:
        answer = c.request("GET", "/said", HOST)
        assert answer.body == b"as long as it lasts" and answer.whole


@scripted(until_close)
def an_end_that_tls_was_not_told_of_is_a_cut():
    """Anyone on the path can close a TCP connection; only the service can say close_notify."""
    since = s.h.mark()
    with s.h.tls() as c:
        try:
            answer = c.request("GET", "/unsaid", HOST)
            raise AssertionError(("looked whole", answer.body))
        except Closed:
            pass
    (line,) = s.h.wait_requests(1, since)
    assert line["reason"] == "upstream_closed", line


def cut_short(connection, request):
    connection.read_body(request)
    if "chunked" in request.target:
        connection.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
    else:
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhello")
    return True


@scripted(cut_short)
def a_cut_answer_is_never_passed_off_as_a_whole_one():
    for path in ("/length", "/chunked"):
        since = s.h.mark()
        with s.h.tls() as c:
            try:
                answer = c.request("GET", path, HOST)
                raise AssertionError(("looked whole", answer.body))
            except Closed:
                pass
        (line,) = s.h.wait_requests(1, since)
        assert line["reason"] == "upstream_closed", line


def silent_close(connection, request):
    return True


@scripted(silent_close)
def a_service_that_closes_without_an_answer_is_a_502():
    with s.h.tls() as c:
        answer = c.request("POST", "/", HOST, body=b"x")
        assert (answer.status, answer.reason) == (502, "upstream_closed")


MALFORMED = [
    ("not-http", b"SSH-2.0-OpenSSH\r\n\r\n"),
    ("length-and-coding", b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    ("two-lengths", b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello"),
    ("bare-lf", b"HTTP/1.1 200 OK\nContent-Length: 5\n\nhello"),
    ("bad-status", b"HTTP/1.1 20 OK\r\nContent-Length: 0\r\n\r\n"),
    ("folded", b"HTTP/1.1 200 OK\r\nX: a\r\n b\r\nContent-Length: 0\r\n\r\n"),
    ("nul", b"HTTP/1.1 200 OK\r\nX: a\0b\r\nContent-Length: 0\r\n\r\n"),
    ("coding", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"),
]


@rows(MALFORMED)
def a_malformed_answer_is_a_502(row):
    def answer(connection, request):
        connection.read_body(request)
        connection.send(row[1])
        return True
    s.origin.answer = answer
    try:
        with s.h.tls() as c:
            got = c.request("GET", "/", HOST)
            assert (got.status, got.reason) == (502, "upstream_malformed"), (got.line, got.body)
    finally:
        s.origin.answer = echo
    assert s.h.get().status == 200


@scripted(lambda c, r: c.read_body(r) and None or c.send(
    b"HTTP/1.1 200 OK\r\nX: " + b"y" * 100000 + b"\r\nContent-Length: 0\r\n\r\n") or True)
def an_answer_with_an_endless_head_is_a_502():
    with s.h.tls() as c:
        answer = c.request("GET", "/", HOST)
        assert (answer.status, answer.reason) == (502, "upstream_head_too_large")


@scripted(lambda c, r: c.read_body(r) and None or c.send(
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\nfree bytes") or True)
def a_service_that_switches_protocols_unasked_is_refused():
    with s.h.tls() as c:
        answer = c.request("GET", "/", HOST)
        assert (answer.status, answer.reason) == (502, "upstream_upgrade")


@promise
def hop_by_hop_fields_stay_on_their_hop():
    mark = s.mark()
    with s.h.tls() as c:
        answer = c.request("GET", "/", HOST, [
            ("Connection", "keep-alive, X-Private"), ("X-Private", "1"), ("Keep-Alive", "timeout=5"),
            ("TE", "trailers"), ("Proxy-Connection", "keep-alive"), ("X-Public", "2")])
        assert answer.status == 200
    (request,), _ = s.since(mark)
    names = {n for n, _ in request.fields}
    assert not names & {"x-private", "keep-alive", "te", "proxy-connection", "upgrade"}, names
    assert request.get("x-public") == "2"


@promise
def the_client_is_told_when_its_wish_to_close_is_granted():
    with s.h.tls() as c:
        answer = c.request("GET", "/", HOST, [("Connection", "close")])
        assert (answer.get("connection") or "").lower() == "close"
        assert c.is_closed()


events = threading.Semaphore(0)


def server_sent_events(connection, request):
    connection.read_body(request)
    connection.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
    for i in range(5):
        assert events.acquire(timeout=20)
        connection.send(b"9\r\ndata: %d\n\n\r\n" % i)
    connection.send(b"0\r\n\r\n")


@scripted(server_sent_events)
def an_event_is_in_the_clients_hands_before_the_next_is_written():
    with s.h.tls() as c:
        c.send(f"GET /events HTTP/1.1\r\nHost: {HOST}\r\n\r\n")
        assert c.read_head().status == 200      # before one event is there
        for i in range(5):
            events.release()                    # the service writes event i only now
            c.until(b"data: %d\n\n" % i)
        c.until(b"0\r\n\r\n")


upload = threading.Semaphore(0)


def slow_echo_of_pieces(connection, request):
    connection.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    connection.read_body(request, on_piece=lambda p: connection.send(b"%x\r\n%s\r\n" % (len(p), p)))
    connection.send(b"0\r\n\r\n")


@scripted(slow_echo_of_pieces)
def both_bodies_flow_at_once():
    with s.h.tls() as c:
        c.send(f"POST /duplex HTTP/1.1\r\nHost: {HOST}\r\nTransfer-Encoding: chunked\r\n\r\n")
        assert c.read_head().status == 200
        for i in range(5):
            c.send("6\r\npiece%d\r\n" % i)
            c.until(b"piece%d" % i)
        c.send("0\r\n\r\n")
        c.until(b"0\r\n\r\n")


@promise
def a_client_that_half_closes_still_gets_its_answer():
    since = s.h.mark()
    channel, answer = s.h.connect("allowed.test:80")
    assert answer.status == 200
    with channel as c:
        c.send(f"POST /half HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: 5\r\n\r\nhello")
        c.sock.shutdown(socket.SHUT_WR)
        answer = c.read_answer("POST")
        assert answer.status == 200 and answer.json()["body_bytes"] == 5
        assert c.is_closed()
    (line,) = s.h.wait_requests(1, since)
    assert line["reason"] == "ok", line


gone = threading.Event()


def wait_for_leaving(connection, request):
    connection.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
    try:
        connection.read()
    finally:
        gone.set()


@scripted(wait_for_leaving)
def when_the_client_leaves_the_service_is_left_too():
    since = s.h.mark()
    c = s.h.tls()
    c.send(f"GET /leave HTTP/1.1\r\nHost: {HOST}\r\n\r\n")
    assert c.read_head().status == 200
    c.close()
    assert gone.wait(20), "the upstream connection outlived the client"
    (line,) = s.h.wait_requests(1, since)
    assert line["reason"] == "client_gone", line


PATHS = [
    ("dot-segments", "/a/./b/../c?x=/../y", "/a/c?x=/../y"),
    ("escapes", "/%7euser/%41%2a", "/~user/A%2A"),
    ("above-the-root", "/a/../../etc", None),
    ("encoded-slash", "/a%2Fb", "encoded_slash"),
    ("encoded-backslash", "/a%5Cb", None),
    ("nul", "/a%00b", None),
    ("twice-encoded-dots", "/a/%252e%252e/b", None),
]


@rows(PATHS)
def the_path_that_is_judged_is_the_path_that_is_sent(row):
    _, path, sent = row
    since, seen = s.h.mark(), len(s.origin.requests)
    with s.h.tls() as c:
        answer = c.request("GET", path, HOST)
    (line,) = s.h.wait_requests(1, since)
    if answer.status == 200:
        assert s.origin.requests[-1].target == sent, s.origin.requests[-1].line
        assert line["path"] == sent.partition("?")[0], line
    else:
        assert answer.reason in ("path_malformed", "encoded_slash") and sent in (None, answer.reason), answer.body
        assert len(s.origin.requests) == seen and line["reason"] == answer.reason


@promise
def what_the_workload_says_of_itself_never_arrives():
    mark = s.mark()
    with s.h.tls() as c:
        answer = c.request("GET", "/", HOST, [
            ("Authorization", "Bearer x"), ("Proxy-Authorization", "Basic x"), ("X-Api-Key", "x"), ("Cookie", "a=b"),
            ("DPoP", "x"), ("Workload-Identity-Token", "x"), ("Workload-Proof-Token", "x"), ("Txn-Token", "x"),
            ("X-Forwarded-For", "1.2.3.4"), ("Forwarded", "for=1.2.3.4"), ("X-Holdfast-Workload", "root")])
        assert answer.status == 200
    (request,), (line,) = s.since(mark)
    names = {n for n, _ in request.fields}
    assert not names & {"authorization", "proxy-authorization", "x-api-key", "cookie", "dpop", "txn-token", "forwarded",
                        "workload-identity-token", "workload-proof-token", "x-forwarded-for"}, names
    assert "authorization" in [n.lower() for n in line["stripped"]], line
    assert "Bearer" not in "\n".join(s.h.text), "the log has a value"


main(s.end)
