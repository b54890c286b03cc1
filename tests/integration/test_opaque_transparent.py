"""TLS that passes unopened at a transparent door: its client knows of no proxy, its name is known from the ClientHello alone, and
the address it meant to go to is the one that is dialled, if it is the name's."""

import subprocess

import turned
from holdfast import PUBLIC, PUBLIC2, WORKLOAD_UID, Holdfast, hosts, main, promise, rows, run_as
from opaque_scene import (ACCESS_DENIED, Raw, alert, config, decisions, end, grant, hello, line_of, message_of, pin, pinned, pinned_context, raw,
                          raw2, read, records, rule, READ, ws)
from turned import PUBLIC6, connect

ELSEWHERE = "20.0.0.40"                     # nobody listens there
BOTH = "20.0.0.30"
subprocess.run(["ip", "addr", "add", PUBLIC6 + "/128", "dev", "lo", "nodad"], check=True)
six = Raw(PUBLIC6, 443)
RULES = ", ".join([rule("pinned.test"), rule("raw.test"), rule("raw.test", "opaque = true; port = 8443;"), rule("two.test"), rule("six.test"), rule("moved.test"),
                   rule("allowed.test", READ)])
t = Holdfast(ws, lambda at: config(at, grants=grant(RULES), doors=turned.DOORS,
                                   names=hosts(pinned_test=PUBLIC, raw_test=PUBLIC2, two_test=[BOTH, PUBLIC2], six_test=[PUBLIC6, BOTH], moved_test=ELSEWHERE,
                                               allowed_test=BOTH)),
             name="turned")
turned.lead()
HELLO = hello(b"raw.test")


# ---- what works

@promise
def a_pinned_client_that_knows_of_no_proxy_sees_its_services_own_certificate():
    mark, before = t.quiet_mark(), len(pinned.requests)
    with connect(PUBLIC, 443).start_tls(pinned_context(), "pinned.test") as c:
        assert c.request("GET", "/pinned", "pinned.test").status == 200
    assert len(pinned.requests) == before + 1
    line = line_of(mark, of=t)
    assert (line["door"], line["opaque"], line["orig"], line["to"], line["up"]) == \
        ("transparent", True, f"{PUBLIC}:443", "pinned.test:443", f"{PUBLIC}:443"), line


@promise
def curl_with_a_pinned_key_needs_nothing():
    done = run_as(WORKLOAD_UID, ["curl", "-sS", "--max-time", "60", "--resolve", f"pinned.test:443:{PUBLIC}", "--cacert", ws.other_ca.file,
                                 "--pinnedpubkey", pin(), "https://pinned.test/curl"], check=False)
    assert done.returncode == 0 and b'"/curl"' in done.stdout, done


@rows([("whole", [HELLO]), ("every_byte_alone", [bytes([b]) for b in HELLO]),
       ("in_eight_records", records(message_of(HELLO), -(-len(message_of(HELLO)) // 8)))])
def a_service_gets_exactly_what_its_client_sent(row):
    _, pieces = row
    nth, mark = len(raw.came), t.quiet_mark()
    raw.then = Raw.keep_all
    with connect(PUBLIC2, 443) as c:
        for piece in pieces:
            c.send(piece)
        raw.visit(nth).wait(len(b"".join(pieces)))
    assert raw.visit(nth).wait_over() == b"".join(pieces)
    x = line_of(mark, of=t)["x"]
    record, = [r for r in decisions(t) if r["x"] == x]
    assert record["opaque"] is True and record["orig"] == f"{PUBLIC2}:443", record


@promise
def the_port_is_the_one_that_the_client_meant():
    nth = len(raw2.came)
    with connect(PUBLIC2, 8443) as c:
        c.send(HELLO)
        assert raw2.visit(nth).wait(len(HELLO)) == HELLO


@promise
def of_several_addresses_the_one_that_the_client_chose_is_dialled():
    nth, mark, seen = len(raw.came), t.quiet_mark(), len(read.connections)
    sent = hello(b"two.test")
    with connect(PUBLIC2, 443) as c:
        c.send(sent)
        assert raw.visit(nth).wait(len(sent)) == sent
    assert line_of(mark, of=t)["up"] == f"{PUBLIC2}:443" and len(read.connections) == seen


@promise
def over_ipv6_it_is_the_same():
    mark, sent = t.quiet_mark(), hello(b"six.test")
    with connect(PUBLIC6, 443) as c:
        c.send(sent)
        assert six.visit(0).wait(len(sent)) == sent
    line = line_of(mark, of=t)
    assert line["orig"] == line["up"] == f"[{PUBLIC6}]:443", line


# ---- what does not pass

@promise
def an_address_that_is_not_the_names_is_refused():
    mark, before = t.quiet_mark(), len(raw.came)
    for address in (ELSEWHERE, PUBLIC):
        with connect(address, 443) as c:
            c.send(HELLO)
            assert alert(c) == ACCESS_DENIED
    for line in t.wait_requests(2, mark):
        assert line["reason"] == "original_address" and "up" not in line, line
    assert len(raw.came) == before


@promise
def a_name_that_may_hide_another_is_refused():
    mark, before = t.quiet_mark(), len(raw.came)
    with connect(PUBLIC2, 443) as c:
        c.send(hello(b"raw.test", extensions=b"\xfe\x0d\0\0"))
        assert alert(c) == ACCESS_DENIED
    line_of(mark, "ech", t)
    assert len(raw.came) == before


@promise
def without_a_name_or_with_another_it_is_opened_as_ever():
    before = len(raw.came)
    for names in ((), (b"allowed.test",), (b"nowhere.test",)):
        with connect(PUBLIC2, 443) as c:
            c.send(hello(*names))
            assert c.receive()[:1] == b"\x16", names        # a ServerHello of ours
    mark = t.quiet_mark()
    with connect(PUBLIC2, 443).start_tls(t.client_context(), "allowed.test") as c:
        assert c.request("GET", "/seen", "allowed.test").status == 200
    line = line_of(mark, of=t)
    assert "opaque" not in line and line["path"] == "/seen" and line["up"] == f"{BOTH}:443", line
    assert len(raw.came) == before


@promise
def what_is_no_hello_is_opened_and_fails_as_ever():
    before = len(raw.came)
    for sent in (HELLO[:5] + b"\x02" + HELLO[6:], b"\x16\x03\x01\0\0", HELLO[:9] + b"\x03\x02" + HELLO[11:43]):
        with connect(PUBLIC2, 443) as c:
            c.send(sent)
            c.sock.shutdown(1)
            assert c.read_to_end()[:1] in (b"\x15", b"")
    assert len(raw.came) == before


@promise
def http_in_the_clear_is_told_that_tls_alone_passes():
    with connect(PUBLIC2, 8443) as c:
        answer = c.request("GET", "/", "raw.test:8443")
    assert (answer.status, answer.reason) == (403, "opaque_only"), answer.line


def close():
    t.stop()
    end()


main(close)
