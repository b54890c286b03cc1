"""What does not pass unopened, though its host's TLS does: each with its reason, told to the client as an alert and to log and
ledger in words, and its service hears nothing of it."""

import struct

from holdfast import PUBLIC2, Holdfast, hosts, main, promise, rows
from opaque_scene import (ACCESS_DENIED, INTERNAL_ERROR, NAMES, UNRECOGNIZED_NAME, Raw, alert, config, decisions, end, grant, h, hello,
                          line_of, message_of, private, raw, read, records, rule, tunnel, ws)
from ops import Page

ECH = struct.pack(">HH", 0xfe0d, 40) + bytes(40)
GOOD = hello(b"raw.test")
# As openssl s_client -tls1_1 says it: the version that stands in the hello is the highest it speaks.
OLD = GOOD[:9] + b"\x03\x02" + GOOD[11:]


def behind(record, more):
    """Another message in the hello's own record."""
    return record[:3] + struct.pack(">H", len(record) - 5 + len(more)) + record[5:] + more


@rows([("another_name", hello(b"pinned.test"), "names_disagree", UNRECOGNIZED_NAME),
       ("a_name_below", hello(b"a.raw.test"), "names_disagree", UNRECOGNIZED_NAME),
       ("no_name", hello(), "server_name_missing", ACCESS_DENIED),
       ("an_address", hello(PUBLIC2.encode()), "names_disagree", UNRECOGNIZED_NAME),
       ("a_name_with_a_port", hello(b"raw.test:443"), "host_malformed", ACCESS_DENIED),
       ("a_name_with_a_line_end", hello(b"raw.test\r\nx: y"), "host_malformed", ACCESS_DENIED),
       ("two_names", hello(b"raw.test", b"raw.test"), "client_hello", ACCESS_DENIED),
       ("two_extensions", hello(b"raw.test", extensions=struct.pack(">HHHBH", 0, 13, 11, 0, 8) + b"raw.test"), "client_hello", ACCESS_DENIED),
       ("ech", hello(b"raw.test", extensions=ECH), "ech", ACCESS_DENIED),
       ("ech_with_another_name_outside", hello(b"cover.test", extensions=ECH), "ech", ACCESS_DENIED),
       ("a_draft_of_ech", hello(b"raw.test", extensions=b"\xfe\x0a\0\0"), "ech", ACCESS_DENIED),
       ("tls_before_1_2", OLD, "client_hello", ACCESS_DENIED),
       ("longer_than_it_may_be", hello(b"raw.test", pad=16 << 10), "client_hello", ACCESS_DENIED),
       ("nine_records", b"".join(records(message_of(GOOD), (len(message_of(GOOD)) - 1) // 8)), "client_hello", ACCESS_DENIED),
       ("more_in_its_record", behind(GOOD, b"\x0e\0\0\0"), "client_hello", ACCESS_DENIED),
       ("an_empty_record", b"\x16\x03\x01\0\0" + GOOD, "client_hello", ACCESS_DENIED),
       ("another_message", b"\x16\x03\x01\0\x04\x02\0\0\0", "client_hello", ACCESS_DENIED)])
def a_hello_that_says_something_else_goes_nowhere(row):
    _, sent, reason, description = row
    mark, before = h.quiet_mark(), len(raw.came)
    with tunnel() as c:
        c.send(sent)
        assert alert(c) == description
    line = line_of(mark, reason)
    assert (line["opaque"], line["to"], line["out"]) == (True, "raw.test:443", 0) and "up" not in line, line
    assert len(raw.came) == before
    record = refusal(line["x"])
    assert (record["verdict"], record["reason"], record["to"]) == ("refuse", reason, "raw.test:443"), record


def refusal(x):
    """Who is refused does not wait for the disk; the next who is allowed waits for all before him."""
    raw.then = Raw.keep_all
    nth = len(raw.came)
    with tunnel() as c:
        c.send(GOOD)
        raw.visit(nth).wait(1)
    found, = [r for r in decisions() if r["x"] == x]
    h.quiet_mark()
    return found


@promise
def http_in_the_clear_is_told_in_words_that_tls_alone_passes():
    mark, before = h.quiet_mark(), len(raw.came)
    with tunnel() as c:
        answer = c.request("GET", "/x", "raw.test:443")
    assert (answer.status, answer.reason) == (403, "opaque_only"), answer.line
    assert line_of(mark, "opaque_only")["path"] == "/x" and len(raw.came) == before


@promise
def a_proxy_request_without_connect_is_told_so_too():
    with h.open() as c:
        answer = c.request("GET", "http://raw.test/", "raw.test")
    assert (answer.status, answer.reason) == (403, "opaque_only"), answer.line


@rows([("ssh", b"SSH-2.0-x\r\n"), ("application_data", b"\x17\x03\x03\0\x05hello"), ("ssl2", b"\x80\x2e\x01\x03\x01"), ("nothing", b"\0\0\0\0")])
def what_is_neither_tls_nor_http_is_closed(row):
    _, sent = row
    before = len(raw.came)
    with tunnel() as c:
        c.send(sent)
        if sent.startswith(b"SSH"):
            assert c.read_answer().status == 400
        else:
            assert c.read_to_end() == b""
    assert len(raw.came) == before


# ---- where it would go

@promise
def an_address_that_is_private_is_not_dialled():
    mark = h.quiet_mark()
    with tunnel("private.test:443") as c:
        c.send(hello(b"private.test"))
        assert alert(c) == ACCESS_DENIED
    line = line_of(mark, "address_prohibited")
    assert line["prohibited"].startswith("10.20.0.10") and private.visits == 0, line


@promise
def one_bad_address_among_good_ones_spoils_all_and_the_metadata_service_is_none():
    names = NAMES.replace("hosts = (", 'hosts = ( { name = "mixed.test"; addresses = ["20.0.0.20", "10.20.0.10"]; }, '
                          '{ name = "meta.test"; addresses = ["169.254.169.254"]; }, ')
    rules = ", ".join([rule("mixed.test"), rule("meta.test"), rule("metadata.google.internal"), rule("localhost")])
    with_them = Holdfast(ws, lambda at: config(at, grants=grant(rules), names=names), name="mixed")
    before = len(raw.came)
    for host, reason in (("mixed.test", "address_prohibited"), ("meta.test", "address_prohibited"),
                         ("metadata.google.internal", "name_prohibited"), ("localhost", "name_prohibited")):
        mark = with_them.mark()
        with tunnel(host + ":443", of=with_them) as c:
            c.send(hello(host.encode()))
            assert alert(c) == ACCESS_DENIED, host
        line_of(mark, reason, with_them)
    assert len(raw.came) == before and private.visits == 0
    with_them.stop()


@promise
def a_rule_may_open_a_private_address():
    there = Holdfast(ws, lambda at: config(at, grants=grant(rule("own.test", 'opaque = true; port = 8444; addresses = ["10.20.0.0/16"];')),
                                           names=hosts(own_test="10.20.0.10")), name="own")
    own = Raw("10.20.0.10", 8444)
    with tunnel("own.test:8444", of=there) as c:
        c.send(hello(b"own.test"))
        assert own.visit(0).wait(1)
    there.stop()


@promise
def a_service_that_is_not_there_is_an_alert_of_ours():
    mark = h.quiet_mark()
    with tunnel("nobody.test:443") as c:
        c.send(hello(b"nobody.test"))
        assert alert(c) == INTERNAL_ERROR
    line_of(mark, "connect_failed")


@promise
def our_own_door_is_not_dialled():
    _, port = h.door()
    looped = Holdfast(ws, lambda at: config(at, grants=grant(rule("loop.test", f'opaque = true; port = {port}; addresses = ["127.0.0.0/8"];')),
                                            listen=f"127.0.0.2:{port}", names=hosts(loop_test="127.0.0.2")), name="looped")
    mark = looped.mark()
    with tunnel(f"loop.test:{port}", of=looped) as c:
        c.send(hello(b"loop.test"))
        assert alert(c) == ACCESS_DENIED
    line_of(mark, "own_port", looped)
    looped.stop()


# ---- who

@promise
def a_caller_whom_no_rule_names_is_answered_inside_tls_as_ever():
    mark, before = h.quiet_mark(), len(raw.came)
    with h.tls("raw.test:443", uid=64999) as c:
        answer = c.request("GET", "/", "raw.test")
    assert (answer.status, answer.reason) == (403, "caller_not_allowed"), answer.line
    assert "opaque" not in line_of(mark, "caller_not_allowed") and len(raw.came) == before


@promise
def hosts_that_are_opened_take_a_hello_with_ech_as_ever():
    """GREASE is what browsers send everywhere; where TLS is opened nothing is hidden from us."""
    mark = h.quiet_mark()
    with tunnel("allowed.test:443") as c:
        c.send(hello(b"allowed.test", extensions=ECH))
        assert c.receive()[:1] == b"\x16"           # a ServerHello of ours
    assert not [li for li in h.requests(mark) if li.get("opaque")]
    assert not read.requests


@promise
def the_metrics_have_each_refusal_by_its_reason():
    page = Page(h)
    for reason in ("ech", "names_disagree", "server_name_missing", "client_hello", "opaque_only"):
        assert page.get("holdfast_requests_total", decision="deny", reason=reason) > 0, reason
    assert page.get("holdfast_blocked_total", **{"class": "fronting"}) > 0


main(end)
