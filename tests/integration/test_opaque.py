"""TLS that passes unopened, to a host whose clients take no certificate but its own: what they see, what the service gets, what is
written down. And who is read all the same."""

import os
import secrets
import socket
import subprocess
import threading

from cryptography import x509

from control import ask, holdfast
from holdfast import OTHER_UID, WORKLOAD_UID, Channel, Holdfast, curl, main, promise, rows
from opaque_scene import (Raw, config, decisions, end, grant, h, hello, line_of, message_of, own_certificate, pin, pinned, pinned_context,
                          raw, raw2, read, records, rule, tunnel, ws)
from ops import Page


# ---- a pinned client

@promise
def a_client_sees_its_services_own_certificate_and_nobody_reads_what_it_says():
    mark, before = h.quiet_mark(), len(pinned.requests)
    with tunnel("pinned.test:443").start_tls(pinned_context(), "pinned.test") as c:
        shown = x509.load_der_x509_certificate(c.sock.getpeercert(True))
        answer = c.request("POST", "/secret?key=hidden", "anything.test", [("Authorization", "Bearer own")], b"body")
    assert shown == own_certificate()
    assert answer.status == 200
    request, = pinned.requests[before:]
    assert request.get("authorization") == "Bearer own" and request.get("host") == "anything.test"
    line = line_of(mark)
    assert (line["opaque"], line["method"], line["status"], line["to"]) == (True, "CONNECT", 200, "pinned.test:443"), line
    assert line["grant"] == "tests" and line["up"] == "20.0.0.10:443" and line["in"] > 100 and line["out"] > 100, line
    assert not {"path", "http", "up_http", "binding", "stripped"} & set(line), line
    assert not any("secret" in t or "hidden" in t for t in h.text), "what was said inside was read"


@promise
def curl_with_a_pinned_key_is_served():
    mark = h.quiet_mark()
    done = curl(h.proxy, ws.other_ca.file, "--pinnedpubkey", pin(), "https://pinned.test/curl")
    assert done.returncode == 0 and b'"/curl"' in done.stdout, done.stderr
    assert line_of(mark)["opaque"] is True


@promise
def openssl_is_served_through_the_door():
    mark = h.quiet_mark()
    assert b'"/openssl"' in openssl()
    assert line_of(mark)["opaque"] is True


def openssl():
    """It ends when its input does, which is once the answer is there."""
    process = subprocess.Popen(["openssl", "s_client", "-quiet", "-proxy", h.proxy[7:], "-connect", "pinned.test:443", "-servername",
                                "pinned.test", "-CAfile", ws.other_ca.file, "-verify_return_error", "-verify_hostname", "pinned.test"],
                               user=WORKLOAD_UID, group=WORKLOAD_UID, extra_groups=[], cwd="/", stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    process.stdin.write(b"GET /openssl HTTP/1.1\r\nHost: pinned.test\r\n\r\n")
    process.stdin.flush()
    told = b""
    while b'"body_sha256"' not in told:
        piece = process.stdout.read1(65536)
        assert piece, told
        told += piece
    process.kill()
    process.wait()
    return told


# ---- byte for byte

HELLO = hello(b"raw.test")
EARLY = b"\x17\x03\x03\x00\x08" + b"early\0\xff!"
SIZE = len(message_of(HELLO))


@rows([("whole", [HELLO]), ("with_early_data", [HELLO + EARLY]), ("every_byte_alone", [bytes([b]) for b in HELLO]),
       ("the_head_alone", [HELLO[:5], HELLO[5:]]), ("in_two_records", [b"".join(records(message_of(HELLO), SIZE // 2 + 1))]),
       ("in_eight_records", records(message_of(HELLO), -(-SIZE // 8))), ("long", [hello(b"raw.test", pad=15000)]),
       ("in_capitals", [hello(b"RAW.TEST")]), ("with_a_dot", [hello(b"raw.test.")])])
def a_service_gets_exactly_what_its_client_sent(row):
    _, pieces = row
    mark, nth = h.quiet_mark(), len(raw.came)
    sent, answered = b"".join(pieces), secrets.token_bytes(5000)

    def then(visit):
        while len(visit.data) < len(sent):
            visit.read()
        visit.sock.sendall(answered)
        Raw.keep_all(visit)
    raw.then = then
    with tunnel() as c:
        for piece in pieces:
            c.send(piece)
        got = b""
        while len(got) < len(answered):
            got += c.receive()
    assert got == answered
    assert raw.visit(nth).wait_over() == sent
    line = line_of(mark)
    assert (line["in"], line["out"]) == (len(sent), len(answered)), line


@promise
def a_hello_behind_the_connect_in_one_segment_is_taken():
    nth = len(raw.came)
    raw.then = Raw.keep_all
    with h.open() as c:
        c.send(b"CONNECT raw.test:443 HTTP/1.1\r\nHost: raw.test:443\r\n\r\n" + HELLO)
        assert c.read_answer("CONNECT").status == 200
        assert raw.visit(nth).wait(len(HELLO)) == HELLO


@promise
def much_goes_both_ways_and_arrives_whole():
    nth, much = len(raw.came), secrets.token_bytes(8 << 20)
    raw.then = Raw.echo
    with tunnel() as c:
        c.send(HELLO)
        sender = threading.Thread(target=c.send, args=(much,))
        sender.start()
        got = bytearray()
        while len(got) < len(HELLO) + len(much):
            piece = c.receive()
            assert piece, f"{len(got)} bytes came back"
            got += piece
        sender.join()
    assert bytes(got) == HELLO + much and raw.visit(nth).wait_over() == HELLO + much


@promise
def another_port_is_another_rule():
    nth, mark = len(raw2.came), h.quiet_mark()
    with tunnel("raw.test:8443") as c:
        c.send(HELLO)
        assert raw2.visit(nth).wait(len(HELLO)) == HELLO
    assert line_of(mark)["to"] == "raw.test:8443"


@promise
def each_end_is_passed_on_and_the_other_side_may_still_speak():
    nth, mark = len(raw.came), h.quiet_mark()

    def then(visit):
        Raw.keep_all(visit)
        visit.sock.sendall(b"and yet")
    raw.then = then
    with tunnel() as c:
        c.send(HELLO)
        c.sock.shutdown(1)
        assert c.read_to_end() == b"and yet"
    assert raw.visit(nth).wait_over() == HELLO
    line_of(mark)


@promise
def by_a_unix_door_it_passes_as_well():
    path = f"/run/holdfast-opaque-{os.getpid()}/agent.sock"
    door = f', {{ kind = "unix"; name = "agent"; path = "{path}"; }}'
    by_socket = Holdfast(ws, lambda at: config(at, doors=door, grants=grant(rule("raw.test"), caller='{ door = "agent"; }')), name="socket")
    raw.then, nth, mark = Raw.keep_all, len(raw.came), by_socket.mark()
    sock = socket.socket(socket.AF_UNIX)
    sock.settimeout(120)
    sock.connect(path)
    with Channel(sock) as c:
        c.send(b"CONNECT raw.test:443 HTTP/1.1\r\nHost: raw.test:443\r\n\r\n")
        assert c.read_answer("CONNECT").status == 200
        c.send(HELLO)
        assert raw.visit(nth).wait(len(HELLO)) == HELLO
    line = line_of(mark, of=by_socket)
    assert (line["door"], line["opaque"]) == ("unix", True), line
    by_socket.stop()


# ---- who is read all the same

@promise
def a_host_that_another_caller_may_pass_unopened_is_read_for_this_one():
    mark, before = h.quiet_mark(), len(pinned.connections)
    with h.tls("pinned.test:443", uid=OTHER_UID) as c:
        answer = c.request("GET", "/mine", "pinned.test")
    assert answer.status == 502, answer.line           # its certificate is none that we trust
    line = line_of(mark, "upstream_certificate")
    assert "opaque" not in line and line["path"] == "/mine" and len(pinned.connections) == before + 1


@promise
def of_two_patterns_the_more_specific_says_what_passes():
    mark, nth = h.quiet_mark(), len(raw.came)
    raw.then = Raw.keep_all
    with tunnel("any.wild.test:443") as c:
        c.send(hello(b"any.wild.test"))
        raw.visit(nth).wait(1)
    assert line_of(mark)["opaque"] is True
    mark = h.quiet_mark()
    assert h.get("/seen", "read.wild.test:443").status == 200
    line = line_of(mark)
    assert line["path"] == "/seen" and "opaque" not in line
    assert read.requests[-1].target == "/seen"


@promise
def other_hosts_are_opened_as_ever():
    assert h.get("/", "allowed.test:443").status == 200
    assert "opaque" not in h.requests()[-1]


# ---- what is written down

@promise
def the_ledger_has_it_before_a_byte_leaves_and_says_that_nothing_was_seen():
    mark = h.quiet_mark()
    raw.then = Raw.keep_all
    nth = len(raw.came)
    with tunnel() as c:
        c.send(HELLO)
        raw.visit(nth).wait(1)
        decided = decisions()
    x = line_of(mark)["x"]
    record, = [r for r in decided if r["x"] == x]
    assert (record["verdict"], record["opaque"], record["to"], record["method"]) == ("allow", True, "raw.test:443", "CONNECT"), record
    assert record["grant"] == "tests" and record["purpose"] == "testing" and record["task"], record
    assert not {"path", "credential", "binding", "stripped"} & set(record), record


@promise
def it_is_counted_and_status_says_it():
    before = Page(h).get("holdfast_opaque_connections_total")
    raw.then = Raw.keep_all
    nth = len(raw.came)
    with tunnel() as c:
        c.send(HELLO)
        raw.visit(nth).wait(1)
        assert Page(h).get("holdfast_opaque_connections_total") == before + 1, "it is counted while it runs"
        status = ask(h.run + "/control.sock", "status")
        assert sum(w["opaque"] for w in status["workers"]) == before + 1, status["workers"]


@promise
def explain_says_that_it_passes_unopened():
    def explain(*words):
        return holdfast("explain", *words, "-c", h.config_path)
    done = explain("CONNECT", "https://pinned.test/")
    assert done.returncode == 0 and "unopened" in done.stdout and "verdict   allowed" in done.stdout, done.stdout
    assert "strip" not in done.stdout.split("opaque")[-1].split("\n", 1)[1], done.stdout
    done = explain("GET", "https://pinned.test/x")
    assert done.returncode != 0 and "opaque_only" in done.stdout, done.stdout
    done = explain("CONNECT", "https://pinned.test/", "--json")
    assert '"opaque":true' in done.stdout, done.stdout


@promise
def lint_tells_of_every_such_rule():
    done = holdfast("check", "--lint", "-c", h.config_path, env={**os.environ, "ASAN_OPTIONS": "detect_leaks=0"})
    assert done.stdout.count("opaque: nothing is seen or stripped") == 6, done


main(end)
