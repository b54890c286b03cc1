"""HTTP/2 on either side, in each of the four ways that a request can take: what is asked arrives, what is answered comes back,
and each exchange has its own verdict, proof, line and record."""

import hashlib
import json

import h2_frames as h2
from h2_origin import tunnel
from h2_scene import PATHS, SERVICES, Scene, WIT, WPT, answer_h2, pattern
from holdfast import ADDRESSES, Channel, Holdfast, Origin, PUBLIC2, by_size, connect, main, own_network, promise, rows

own_network(ADDRESSES)
PRIOR = ', { kind = "forward"; listen = "127.0.0.1:0"; h2c = true; }, { kind = "forward"; listen = "127.0.0.1:0"; http2 = false; }'
s = Scene(also=', { host = "one.test"; scheme = "http"; port = 80; methods = "any"; paths = "any"; }', doors=PRIOR)
plain = Origin("20.0.0.10", 80)
SIZES = [("none", None, False), ("empty", 0, False), ("one", 1, False), ("64k", 65536, False),
         ("large", by_size(1 << 20, 10 << 20), False), ("unknown", 100000, True)]
BODIES = [(f"{way}-{size}", client, service, n, unknown) for way, client, service in PATHS for size, n, unknown in SIZES]
HOP = {"connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade", "te", "http2-settings"}


def seen(service, before):
    found = s.services[service].requests[before:]
    assert len(found) == 1, [r.target for r in found]
    return found[0]


def name_of(service, request):
    return request.get("host" if service == "h1" else ":authority")


@rows(BODIES)
def bodies_arrive_whole_and_come_back_whole(row):
    _, client, service, n, unknown = row
    mark, before = s.h.mark(), len(s.services[service].requests)
    body = None if n is None else pattern(n)
    answer = s.asking(client, service)("POST", f"/plain/x?bytes={n or 0}&length={0 if unknown else 1}", [("X-Own", "v")], body,
                                       unknown=unknown)
    assert (answer.status, answer.bytes, answer.sha256) == (200, n or 0, hashlib.sha256(body or b"").hexdigest()), answer.fields
    assert answer.all("x-answer") in (["one", "two"], ["one, two"]) and answer.all("set-cookie") == ["a=1", "b=2"], answer.fields
    request = seen(service, before)
    assert (request.body_bytes, request.body_sha256) == (n or 0, answer.sha256) and request.get("x-own") == "v"
    assert name_of(service, request) == SERVICES[service], request.fields
    (line,) = s.h.wait_requests(1, mark)
    assert (line["status"], line["reason"], line["path"]) == (200, "ok", "/plain/x"), line


@rows(PATHS)
def each_request_has_its_own_proof_line_and_record(row):
    _, client, service = row
    mark, before, host = s.h.mark(), len(s.services[service].requests), SERVICES[service]
    for i in range(3):
        assert s.asking(client, service)("POST", f"/signed/{i}?q={i}", body=b"x").status == 200
    requests, lines = s.services[service].requests[before:], s.h.wait_requests(3, mark)
    claims = [s.proof(r, "POST", f"https://{host}/signed/{i}?q={i}") for i, r in enumerate(requests)]
    assert len({c["jti"] for c in claims}) == 3
    assert sorted(li["proof"] for li in lines) == sorted(c["jti"] for c in claims), (lines, claims)
    records = [r for r in s.records() if r.get("proof") in {c["jti"] for c in claims}]
    assert len(records) == 3 and {r["grant"] for r in records} == {"tests"}, records


@rows([("h1", "h1"), ("h2", "h2")])
def what_is_injected_is_never_indexed(row):
    _, client = row
    before = len(s.two.requests)
    assert s.asking(client, "h2")("GET", "/signed/secret").status == 200
    request = seen("h2", before)
    assert {WIT, WPT} <= request.sensitive, request.sensitive


@rows(PATHS)
def trailers_stay_trailers(row):
    _, client, service = row
    before = len(s.services[service].requests)
    answer = s.asking(client, service)("POST", "/plain/t?bytes=100&trailers=1", body=b"abc", trailers=[("x-sum", "6")])
    request = seen(service, before)
    told = request.trailers if service == "h2" else [tuple(t.lower().split(": ")) for t in request.trailers]
    assert [(n, v) for n, v in told] == [("x-sum", "6")] and request.get("x-sum") is None, (told, request.fields)
    assert answer.trailers == [("x-closing", "said at the end")] and answer.get("x-closing") is None, answer.trailers


@rows(PATHS)
def interim_answers_come_before_the_answer(row):
    _, client, service = row
    answer = s.asking(client, service)("GET", "/plain/early?early=103&bytes=5")
    assert (answer.interim, answer.status, answer.bytes) == ([103], 200, 5)
    answer = s.asking(client, service)("POST", "/plain/wait?bytes=3", body=b"now", expect=True)
    assert (answer.interim, answer.status) == ([100], 200), answer.interim


@rows(PATHS)
def answers_without_a_body_end_where_they_should(row):
    _, client, service = row
    ask = s.asking(client, service)
    for method, path, status, length in (("HEAD", "/plain/head?told=1234", 200, "1234"), ("GET", "/plain/none?status=204", 204, None),
                                         ("GET", "/plain/same?status=304&told=99", 304, "99"), ("HEAD", "/plain/head", 200, None)):
        answer = ask(method, path)
        assert (answer.status, answer.bytes, answer.get("content-length")) == (status, 0, length), (path, answer.fields)


@rows(PATHS)
def fields_of_one_connection_stay_on_it(row):
    _, client, service = row
    before = len(s.services[service].requests)
    hop = [("Keep-Alive", "timeout=5"), ("Proxy-Connection", "keep-alive")] if client == "h1" else []
    answer = s.asking(client, service)("GET", "/plain/hop", hop)
    assert answer.status == 200
    request = seen(service, before)
    assert service != "h2" or not HOP & {n for n, v in request.fields if (n, v) != ("te", "trailers")}, request.fields
    assert not {"keep-alive", "proxy-connection", "proxy-authorization"} & {n for n, _ in request.fields}
    assert client != "h2" or not HOP & {n for n, _ in answer.fields}, answer.fields


@rows([(f"to-{service}", service) for service in SERVICES])
def cookie_crumbs_are_one_field_again_in_http_1(row):
    _, service = row
    before = len(s.services[service].requests)
    assert s.asking("h2", service)("GET", "/cookies/c", [("cookie", "a=1"), ("cookie", "b=2"), ("cookie", "c=3")]).status == 200
    found = seen(service, before).all("cookie")
    assert "; ".join(found) == "a=1; b=2; c=3" and (service == "h2" or len(found) == 1), found


# ---- many at once

@promise
def streams_of_one_connection_are_judged_each_for_itself():
    n = by_size(40, 90)
    mark = s.h.mark()
    with tunnel(s.h, "two.test:443") as p:
        streams = [p.request("GET", f"/plain/{i}?bytes={i * 100}" if i % 3 else f"/forbidden/{i}", "two.test") for i in range(n)]
        for i, stream in enumerate(streams):
            answer = stream.answer()
            told = (answer.status, answer.reason, answer.body_bytes)
            assert told == (200, None, i * 100) if i % 3 else told[:2] == (403, "path_not_allowed"), (i, told)
        p.ping()
        assert not p.goaways and not p.over
    lines = s.h.wait_requests(n, mark)
    assert len({li["x"] for li in lines}) == n and sum(li["status"] == 403 for li in lines) == (n + 2) // 3
    told = {li["x"]: li["path"] for li in lines}
    records = {r["x"]: r["path"] for r in s.records() if r.get("x") in told}
    assert records == told, "each has its record"


@promise
def a_second_name_on_one_connection_is_not_its_own():
    with tunnel(s.h, "two.test:443") as p:
        answer = p.request("GET", "/plain/x", "one.test").answer()
        assert (answer.status, answer.reason) == (421, "names_disagree")
        assert p.request("GET", "/plain/x", "two.test").answer().status == 200


@promise
def a_stalled_stream_does_not_hold_up_its_neighbours():
    with tunnel(s.h, "two.test:443", window=16384) as p:
        p.credits = False           # of the large one we take one window, and no more
        large = p.request("GET", "/plain/large?bytes=1000000", "two.test")
        large.wait(lambda x: x.body_bytes == 16384, "a window full")
        for i in range(20):
            assert p.request("GET", f"/plain/{i}?bytes=1000", "two.test").answer().body_bytes == 1000
        assert large.body_bytes == 16384 and not large.whole
        p.credits = True
        p.send(h2.window_update(1 << 24, large.id))
        assert large.answer().body_bytes == 1000000


@rows([{"id": "from-h1", "host": "one.test"}, {"id": "from-h2", "host": "two.test"}])
def a_long_answer_needs_no_word_from_its_client(row):
    """What the socket has taken rings no bell: what waits behind it must not need one."""
    with tunnel(s.h, f"{row['host']}:443", window=1 << 22) as p:
        p.credits = False
        assert p.request("GET", "/plain/long?bytes=1000000", row["host"]).answer().body_bytes == 1000000
        assert not p.goaways, "it came when the connection was given up"


@promise
def a_conversation_goes_piece_by_piece_both_ways():
    def talk(stream):
        stream.head([(":status", "200")])
        said = 0
        while stream.wait(lambda x: x.body_bytes > said or x.whole, "a piece") and stream.body_bytes > said:
            piece = stream.body[said:]
            said += len(piece)
            stream.data(piece)
        stream.head([("x-closing", "said at the end")], end=True)
    s.two.answer, n = talk, by_size(100, 1000)
    with tunnel(s.h, "two.test:443") as p:
        for path in ("/plain/talk", "/signed/talk"):
            stream = p.open(h2.request_fields("POST", path, "two.test"), end=False)
            for i in range(n):
                stream.data(b"%8d" % i)
                assert stream.wait(lambda x, i=i: x.body_bytes == 8 * (i + 1), "the same piece")
            stream.data(b"", end=True)
            assert stream.answer().trailers == [("x-closing", "said at the end")]
    s.two.answer = answer_h2


@promise
def streams_share_a_connection_to_the_service():
    s.two.forget()
    with tunnel(s.h, "two.test:443") as p:
        assert p.request("GET", "/plain/first", "two.test").answer().status == 200
        for stream in [p.request("GET", f"/plain/{i}", "two.test") for i in range(20)]:
            assert stream.answer().status == 200
    assert len(s.two.connections) <= 1, "the 21 came by one, begun now or before"


# ---- what is offered, and in the clear

@promise
def a_door_without_http_2_offers_http_1_alone():
    with Channel(connect(*s.h.door("forward", 2))) as c:
        c.send("CONNECT two.test:443 HTTP/1.1\r\nHost: two.test:443\r\n\r\n")
        assert c.read_answer("CONNECT").status == 200
        context = s.h.client_context()
        context.set_alpn_protocols(["h2", "http/1.1"])
        c.start_tls(context, "two.test")
        assert c.sock.selected_alpn_protocol() == "http/1.1"
        assert c.request("GET", "/plain/x", "two.test").status == 200


@promise
def http_2_in_the_clear_is_refused_where_the_door_does_not_take_it():
    mark, before = s.h.mark(), len(plain.requests)
    with s.h.open() as c:
        c.send(h2.PREFACE + h2.settings() + h2.headers(1, h2.literal(h2.request_fields("GET", "/", "one.test", "http")), True))
        c.read_to_end()
    assert len(plain.requests) == before
    assert any(li["status"] >= 400 for li in s.h.wait_requests(1, mark))


@promise
def upgrade_to_h2c_is_refused():
    before = len(plain.requests)
    mark = s.h.mark()
    with s.h.open() as c:
        c.send("GET http://one.test/ HTTP/1.1\r\nHost: one.test\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
               "HTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA\r\n\r\n")
        answer = c.read_answer()
        assert answer.status >= 400 and answer.reason, answer.line
    (line,) = s.h.wait_requests(1, mark)
    assert line["reason"] == answer.reason and len(plain.requests) == before


@promise
def a_rule_may_ask_for_http_1_of_a_service_that_speaks_both_or_for_http_2():
    def ruled(service, version):
        rule = (f'{{ host = "{SERVICES[service]}"; methods = "any"; paths = "any"; http = "{version}"; '
                f'upstream_trust = "{s.ws.ca.file}"; }}')
        return Holdfast(s.ws, s.config(rules=rule), name=f"ruled-{service}-{version}")
    h = ruled("h1", "2")
    mark = h.mark()
    with h.tls("one.test:443") as c:
        answer = c.request("GET", "/", "one.test")
        assert answer.status == 502 and answer.reason, answer.line
    assert h.wait_requests(1, mark)[0]["reason"] == answer.reason
    h.stop()
    h = ruled("h2", "2")
    with h.tls("two.test:443") as c:
        assert c.request("GET", "/", "two.test").status == 200
    h.stop()


@promise
def at_the_end_every_line_has_its_record():
    s.h.mark()
    lines = {li["x"]: li["path"] for li in s.h.requests() if "path" in li}
    records = {r["x"]: r["path"] for r in s.records() if r["kind"] == "decision" and r.get("x") in lines}
    assert records == lines, set(lines) - set(records)


main(s.end)
