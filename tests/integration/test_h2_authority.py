"""What HTTP/2 lets a client say about where it wants to go, and what it must not smuggle into HTTP/1: the h2 rows of
vectors/authority, sent by a client that checks nothing, towards a service of either kind."""

import h2_frames as h2
from h2_origin import tunnel
from h2_stream import Stream
from h2_scene import SERVICES, Scene
from holdfast import ADDRESSES, Closed, main, own_network, promise, rows, vectors

own_network(ADDRESSES)
s = Scene()
CASES = [c for c in vectors("authority/cases.json")["cases"] if c["id"].startswith("h2-")]
TABLE = [(f"{c['id']}-{kind}", c, kind) for c in CASES for kind in SERVICES]


def told(case, kind):
    """(the head's fields, what follows it): the vectors' own words for what cannot be written down."""
    name, target = SERVICES[kind], case["target"]
    words = case["host_or_authority"]
    words = [w and w.replace("allowed.test", name) for w in (words if isinstance(words, list) else [words])]
    fields = {":method": "GET", ":scheme": "https", ":authority": words[0], ":path": "/"}
    more, body = [], b""
    if len(words) == 2:
        more.append(("host", words[1]))
    if case["id"] == "h2-method-crlf":
        fields[":method"] = target
    elif target.startswith(":"):
        word, value = target.split(" ")
        fields[word] = value
        if value == "CONNECT":
            del fields[":scheme"], fields[":path"]
        elif word == ":protocol":
            fields[":method"] = "CONNECT"
    elif target.startswith("content-length"):
        fields[":method"], body = "POST", b"x" * 40
        more.append(("content-length", "1"))
    elif case["id"] in ("h2-header-crlf", "h2-te"):
        more.append(tuple(target.split(": ", 1)))
    elif case["id"] == "h2-header-colon":
        more.append((target, "y"))
    else:
        fields[":path"] = target
    return [(n, v) for n, v in fields.items() if v is not None] + more, body


def ask(fields, body, kind, block=None):
    """The status, or None when the stream or the connection was ended without one."""
    with tunnel(s.h, f"{SERVICES[kind]}:443") as p:
        return exchange(p, block or h2.literal(fields), body)


def exchange(p, block, body=b""):
    stream = p.streams[p.next_id] = Stream(p, p.next_id)
    p.next_id += 2
    p.send(h2.headers(stream.id, block, end_stream=not body))
    if body:
        p.send(h2.frame(h2.DATA, h2.END_STREAM, stream.id, body))
    how, status = stream.outcome()
    return status if how == "whole" else None


def asked():
    return len(s.one.requests) + len(s.two.requests)


@rows(TABLE)
def what_http_2_says_of_its_target_agrees_or_is_refused(row):
    _, case, kind = row
    before, seen, mark = asked(), len(s.services[kind].requests), s.h.quiet_mark()
    fields, body = told(case, kind)
    status = ask(fields, body, kind)
    if case["expect"] == "allow":
        assert (status, asked() - before) == (200, 1), status
        request = s.services[kind].requests[-1]
        assert request.get("host" if kind == "h1" else ":authority") == SERVICES[kind], request.fields
    else:
        assert status is None or 400 <= status < 500 or status == 501, status
        assert is_cut(kind, seen) if has_begun(mark) else asked() == before, asked() - before
    s.h.assert_alive()


def has_begun(mark):
    """A head may have gone before its body was found to be longer than it said."""
    s.h.quiet_mark()
    return [line["step"] for line in s.h.requests(mark)] == ["relay"]


def is_cut(kind, seen):
    """… and no end of it ever goes. Over HTTP/2 its head may not have gone either; what is asked next follows it there."""
    service = s.services[kind]
    if kind == "h2":
        assert ask(h2.request_fields("GET", "/plain/next", SERVICES[kind]), b"", kind) == 200
        return [r.target for r in service.requests[seen:] if r.whole] == ["/plain/next"]
    service.wait(lambda o: len(o.requests) > seen, what="a head")
    service.requests[seen].connection.closed.wait(60)
    return service.requests[seen].body_sha256 == ""


PSEUDO = h2.request_fields("GET", "/plain/x", "NAME")
BAD = [
    ("method-twice", PSEUDO + [(":method", "POST")]), ("path-twice", PSEUDO + [(":path", "/plain/y")]),
    ("authority-twice", PSEUDO + [(":authority", "denied.test")]), ("scheme-twice", PSEUDO + [(":scheme", "http")]),
    ("host-twice", PSEUDO + [("host", "NAME"), ("host", "denied.test")]),
    ("pseudo-behind", PSEUDO[:3] + [("x-a", "b")] + PSEUDO[3:]), ("pseudo-unknown", PSEUDO + [(":x", "y")]),
    ("pseudo-of-answers", PSEUDO + [(":status", "200")]),
    ("no-method", PSEUDO[1:]), ("no-path", PSEUDO[:3]), ("no-scheme", [PSEUDO[0]] + PSEUDO[2:]),
    ("empty-path", PSEUDO[:3] + [(":path", "")]), ("empty-method", [(":method", "")] + PSEUDO[1:]),
    ("upper-case", PSEUDO + [("X-Upper", "y")]), ("name-empty", PSEUDO + [("", "y")]), ("name-space", PSEUDO + [("x y", "z")]),
    ("name-nul", PSEUDO + [("x\0", "z")]), ("value-nul", PSEUDO + [("x-a", "b\0c")]),
    ("value-lf", PSEUDO + [("x-a", "b\nHost: denied.test")]),
    ("value-cr", PSEUDO + [("x-a", "b\rc")]), ("value-leading-space", PSEUDO + [("x-a", " b")]),
    ("connection", PSEUDO + [("connection", "close")]), ("keep-alive", PSEUDO + [("keep-alive", "timeout=5")]),
    ("proxy-connection", PSEUDO + [("proxy-connection", "keep-alive")]), ("upgrade", PSEUDO + [("upgrade", "websocket")]),
    ("te-gzip", PSEUDO + [("te", "gzip")]), ("path-space", PSEUDO[:3] + [(":path", "/plain/a b")]),
    ("path-nul", PSEUDO[:3] + [(":path", "/plain/a\0")]), ("path-fragment", PSEUDO[:3] + [(":path", "/plain/a#b")]),
    ("path-no-slash", PSEUDO[:3] + [(":path", "plain/x")]), ("scheme-upper", [PSEUDO[0], (":scheme", "ftp")] + PSEUDO[2:]),
    ("length-no-number", PSEUDO + [("content-length", "+0")]),
    ("length-twice", PSEUDO + [("content-length", "0"), ("content-length", "1")]),
    ("length-without-body", PSEUDO + [("content-length", "5")]), ("underscore", PSEUDO + [("transfer_encoding", "chunked")]),
]


@rows([(f"{name}-{kind}", fields, kind) for name, fields in BAD for kind in SERVICES])
def a_malformed_head_reaches_no_service(row):
    _, fields, kind = row
    before = asked()
    status = ask([(n, v.replace("NAME", SERVICES[kind])) for n, v in fields], b"", kind)
    assert asked() == before and (status is None or 400 <= status < 500 or status == 501), (status, asked() - before)
    s.h.assert_alive()


@promise
def a_malformed_stream_leaves_its_neighbours_alone_or_ends_the_connection_with_a_word():
    with tunnel(s.h, "two.test:443") as p:
        exchange(p, h2.literal(h2.request_fields("GET", "/plain/x", "two.test", fields=[("x-a", "b\nc")])))
        try:
            assert p.request("GET", "/plain/x", "two.test").answer().status == 200
        except Closed:
            assert p.goaways and p.goaways[-1][1] in (h2.PROTOCOL_ERROR, h2.ENHANCE_YOUR_CALM), p.goaways


@promise
def trailers_with_what_frames_or_authorises_are_refused():
    for name in (":path", "content-length", "transfer-encoding", "authorization", "host", "X-Upper"):
        for kind, host in SERVICES.items():
            with tunnel(s.h, f"{host}:443") as p:
                stream = p.open(h2.request_fields("POST", "/plain/x", host), end=False)
                stream.data(b"body")
                p.send(h2.headers(stream.id, h2.literal([(name, "x")]), True))
                how, status = stream.outcome()
                assert how != "whole" or status >= 400, (name, kind, status)
                for request in s.services[kind].requests:
                    fields = request.trailers if kind == "h2" else [t.split(":")[0].lower() for t in request.trailers]
                    assert not [f for f in fields if (f[0] if kind == "h2" else f) == name.lower()], fields


@promise
def all_rows_were_there():
    assert len(CASES) == 15, [c["id"] for c in CASES]


main(s.end)
