"""The resolver's answers are judged: mixed, private, flipped, empty, broken, forged or missing ones never become a connection to where
it must not go. vectors/ssrf/dns.json, row by row."""

import os

from holdfast import (ADDRESSES, METADATA, PUBLIC, PUBLIC2, Origin, Sidecar, StubDNS, Trap, main, own_network, promise, vectors)
import stub_dns

own_network(ADDRESSES)
traps = [Trap(address, 443) for address in ("127.0.0.1", METADATA, "10.20.0.10")]
dns = StubDNS()
s = Sidecar(names=f'resolver = {{ servers = ["{dns.server}"]; timeout = "1500ms"; }};',
            workers=1)          # whose pool the tests know
PROVED = set()      # rows of the table that a promise here stood up for


def closing(connection, request):
    connection.read_body(request)
    connection.reply(200, "here", [("Connection", "close")])
    return True


s.origin.answer = closing
elsewhere = Origin(PUBLIC2, 8443, s.ws.leaf("allowed.test"))


def row(identity):
    def wrap(function):
        PROVED.add(identity)

        def run():
            dns.names.clear()
            dns.queries.clear()
            s.origin.forget()
            function()
            assert not any(t.visits for t in traps), [t.address for t in traps if t.visits]
        run.__name__ = function.__name__
        return promise(run)
    return wrap


def ask(*expected):
    """One request on a connection of its own, which must end in this (status, reason); the log says the same."""
    mark = s.h.mark()
    answer = s.h.get()
    assert (answer.status, answer.reason) in expected, (answer.line, answer.body)
    (line,) = s.h.wait_requests(1, mark)
    assert line["status"] == answer.status and line["reason"] == (answer.reason or "ok"), line
    assert answer.status == 200 or not s.origin.requests or "up" not in line
    return line


PROHIBITED = (403, "address_prohibited")


@row("flip")
def a_name_that_is_flipped_between_two_requests_is_judged_again():
    dns.names["allowed.test"] = lambda q, nth: q.answer([PUBLIC] if nth == 1 else ["127.0.0.1"])
    assert ask((200, None))["up"].startswith(PUBLIC)
    assert ask(PROHIBITED)["prohibited"].startswith("127.0.0.1: ")
    assert len(s.origin.requests) == 1


@row("mixed")
def a_mixed_answer_is_refused_whole():
    dns.names["allowed.test"] = [PUBLIC, "10.20.0.10"]
    ask(PROHIBITED)
    dns.names["allowed.test"] = ["10.20.0.10", PUBLIC]
    ask(PROHIBITED)
    assert not s.origin.connections


@row("aaaa-private")
def the_other_family_is_judged_too():
    dns.names["allowed.test"] = [PUBLIC, "::ffff:169.254.169.254"]
    ask(PROHIBITED)
    dns.names["allowed.test"] = [PUBLIC, "fd00:ec2::254"]
    ask(PROHIBITED)
    assert not s.origin.connections


@row("cname")
def an_alias_of_the_metadata_service_is_refused():
    dns.names["allowed.test"] = [("CNAME", "metadata.google.internal"), METADATA]
    ask(PROHIBITED, (403, "name_prohibited"))
    assert not s.origin.connections


@row("many")
def each_of_many_addresses_is_judged():
    many = [f"20.1.0.{i}" for i in range(255)]
    dns.names["allowed.test"] = many + ["127.0.0.1"]
    ask(PROHIBITED, (502, "dns_failed"))
    dns.names["allowed.test"] = [PUBLIC] * 30
    ask((200, None))


@row("empty")
def an_empty_answer_is_a_502():
    dns.names["allowed.test"] = []
    ask((502, "dns_empty"))


@row("servfail")
def a_failing_or_silent_name_server_is_a_502_or_504():
    dns.names["allowed.test"] = lambda q, nth: q.answer(code=stub_dns.SERVFAIL)
    ask((502, "dns_failed"))
    dns.names["allowed.test"] = lambda q, nth: None
    ask((504, "dns_timeout"))
    dns.names["allowed.test"] = [PUBLIC]
    ask((200, None))


@row("huge-ttl")
def a_huge_ttl_does_not_pin_an_answer_for_ever():
    dns.names["allowed.test"] = lambda q, nth: q.answer([PUBLIC], ttl=0x80000000)
    ask((200, None))
    dns.names["allowed.test"] = ["127.0.0.1"]
    ask(PROHIBITED)


@row("zero-ttl")
def one_decision_is_one_lookup_and_a_pooled_connection_keeps_its_address():
    dns.names["allowed.test"] = lambda q, nth: q.answer([PUBLIC] if nth == 1 else ["127.0.0.1"])
    s.origin.answer = lambda c, r: c.read_body(r) and None or c.reply(200, "kept")
    mark = s.h.mark()
    with s.h.tls() as channel:
        assert [channel.request("GET", "/", "allowed.test").status for _ in range(3)] == [200] * 3
    lines = s.h.wait_requests(3, mark)
    s.origin.answer = closing
    assert s.h.get().status in (200, 403)       # uses up the pooled connection, if there is one
    assert len({li["up"] for li in lines}) == 1 and len(s.origin.connections) == 1
    assert len([q for q in dns.queries if q.kind == stub_dns.A]) <= 2


@row("neg-cache")
def a_name_that_comes_to_exist_is_found():
    ask((502, "dns_failed"), (502, "dns_empty"))
    dns.names["allowed.test"] = [PUBLIC]
    ask((200, None))


GARBAGE = [
    lambda q: q.answer([PUBLIC])[:20],                                                  # cut short
    lambda q: q.id + b"\x81\x80\0\1\0\1\0\0\0\0" + q.question + b"\xc0\x0c" * 2,         # an answer that ends early
    lambda q: q.id + b"\x81\x80\0\1\0\1\0\0\0\0" + q.question
    + bytes([0xc0, 12 + len(q.question)]) + b"\0\1\0\1\0\0\0\0\0\4\x7f\0\0\1",           # a name that points at itself
    lambda q: q.id + b"\x81\x80\0\1\0\1\0\0\0\0" + q.question + (b"\x3f" + b"a" * 63) * 5 + b"\0\0\1\0\1\0\0\0\0\0\4\x7f\0\0\1",
    lambda q: os.urandom(100),
    lambda q: b"",
]


@row("malformed")
def a_malformed_answer_is_a_refusal():
    for make in GARBAGE:
        dns.names["allowed.test"] = lambda q, nth, make=make: make(q)
        ask((502, "dns_failed"), (504, "dns_timeout"), (502, "dns_empty"))
    assert not s.origin.connections


@row("spoof")
def an_answer_with_another_id_is_ignored():
    def forged_first(query, nth):
        forged = query.answer(["127.0.0.1", "::1"], id_=bytes(255 - b for b in query.id))
        return [forged, query.answer([PUBLIC])]
    dns.names["allowed.test"] = forged_first
    ask((200, None))


@row("denied-name")
def a_denied_name_is_never_asked_for():
    dns.names["denied.test"] = [PUBLIC2]
    assert s.h.get(target="denied.test:443").reason == "host_not_allowed"
    assert s.h.get(target="leak-me.denied.test:443").reason == "host_not_allowed"
    assert not dns.queries, [q.name for q in dns.queries]


@promise
def every_row_of_the_table_has_a_promise():
    wanted = {c["id"] for c in vectors("ssrf/dns.json")["cases"]}
    assert wanted == PROVED, wanted ^ PROVED


main(s.end)
