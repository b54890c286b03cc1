"""The dns door: names that a live grant's rule names are answered from our resolver, for whom the grant is; every other is
refused without a question to anybody. By UDP and TCP, told in the log, bounded."""

import select
import shutil
import socket
import subprocess
import threading

import ops
from client import connect
from dns_scene import dns, addresses, ask, ask_tcp, code, connected, datagram_socket, frame, query, read, read_frame
from holdfast import (ADDRESSES, CREDENTIAL, METADATA, OTHER_UID, PATIENCE, PRIVATE, PUBLIC, PUBLIC2, WORKLOAD_UID, Holdfast, Skip, StubDNS,
                      Workspace, forward_config, grant, main, own_network, promise, run_as)
import stub_dns

NAMESERVER = "20.0.0.53"        # where a client's resolv.conf can say that we are: it knows no port
V6 = "2600:1::10"
own_network([*ADDRESSES, NAMESERVER, V6])
ws = Workspace()
stub = StubDNS()
DOORS = f""", {{ kind = "dns"; listen = "127.0.0.1:0"; }}, {{ kind = "dns"; listen = "[::1]:0"; }},
  {{ kind = "dns"; listen = "{NAMESERVER}:53"; }}, {{ kind = "dns"; listen = "127.0.0.1:0"; refuse_with = "nxdomain"; }},
  {{ kind = "dns"; listen = "0.0.0.0:0"; }}, {{ kind = "ops"; listen = "127.0.0.1:0"; }}"""


def rule(host, more=""):
    return f'{{ host = "{host}"; methods = "any"; paths = "any"; {more} }}'


RULES = [rule("allowed.test"), rule("*.wild.test"), rule("private.test", f'addresses = ["{PRIVATE}/32"];'), rule("meta.test"),
         rule("box.local", 'addresses = ["10.20.0.0/16"];'), rule("plain.local"), rule("20.0.0.10"), rule("pinned.test"),
         rule("two.test", 'port = 8080; scheme = "http";'), rule("two.test", f'addresses = ["{PRIVATE}/32"];'),
         rule("metadata.google.internal")]


def config(rules=None, limits="", workers=2, more_grants=""):
    names = f'resolver = {{ servers = ["{stub.server}"]; timeout = "3s"; hosts = ( {{ name = "pinned.test"; addresses = ["{PUBLIC2}"]; }} ); }};'
    required = grant(rule("task.test"), name="tasked").replace('"standing"', '"required"')
    told = ", ".join([grant(", ".join(RULES if rules is None else rules)),
                      grant(rule("theirs.test"), name="theirs", caller=f"{{ uid = {OTHER_UID}; }}"),
                      grant(rule("late.test"), name="late", expires_at="2026-11-02"), required, *([more_grants] if more_grants else [])])
    return forward_config("", grants=told, names=names, doors=DOORS, limits=limits, workers=workers, credentials=CREDENTIAL)


GOOD = query("allowed.test", id=7).to_wire()
h = Holdfast(ws, config())
door = h.door("dns")
door6 = h.door("dns", 1)
nameserver = h.door("dns", 2)
lenient = h.door("dns", 3)
anywhere = h.door("dns", 4)


def scene(function):
    def run():
        stub.names.clear()
        stub.names["allowed.test"] = [PUBLIC, V6]
        stub.queries.clear()
        function()
        h.assert_alive()
    run.__name__ = function.__name__
    return promise(run)


def told(name, since, n=1):
    """The log's lines about this name."""
    def has(line):
        return line.get("msg") == "dns" and line["name"].lower() == name
    found = []
    for _ in range(n):
        found.append(h.wait_line(lambda li: has(li) and li not in found, since, what=f"what was answered to {name}"))
    return found if n > 1 else found[0]


def assert_refused(name, reason, uid=WORKLOAD_UID, kind="A", lookups=0, at=None):
    mark, asked = h.mark(), len(stub.queries)
    answer = ask(at or door, query(name, kind), uid)
    assert code(answer) == "REFUSED" and not answer.answer, answer
    line = told(name, mark)
    assert (line["code"], line["reason"]) == ("REFUSED", reason), line
    assert line.get("uid") == uid, line
    assert (len(stub.queries) > asked) == bool(lookups), [q.name for q in stub.queries]
    return line


# ---- which names

@scene
def an_allowed_name_is_answered_with_its_addresses():
    mark = h.mark()
    answer = ask(door, query("allowed.test"))
    assert code(answer) == "NOERROR" and addresses(answer) == [PUBLIC], answer
    line = told("allowed.test", mark)
    assert (line["reason"], line["type"], line["over"], line["uid"], line["grant"]) == ("ok", "A", "udp", WORKLOAD_UID, "tests"), line
    assert addresses(ask(door, query("allowed.test", "AAAA"))) == [V6]


@scene
def a_name_that_no_rule_names_is_refused_and_asked_of_nobody():
    for name in ("denied.test", "sub.allowed.test", "wild.test", "allowed.test.evil.test", "com"):
        assert_refused(name, "host_not_allowed")


@scene
def a_name_of_another_callers_grant_is_refused():
    stub.names["theirs.test"] = [PUBLIC2]
    assert_refused("theirs.test", "caller_not_allowed")
    assert addresses(ask(door, query("theirs.test"), OTHER_UID)) == [PUBLIC2]
    assert_refused("allowed.test", "caller_not_allowed", OTHER_UID)


@scene
def a_grant_that_has_expired_or_has_no_task_answers_nothing():
    assert_refused("late.test", "grant_expired")
    assert_refused("task.test", "task_required")


@scene
def names_below_a_wildcard_are_answered():
    stub.names["a.wild.test"] = [PUBLIC]
    stub.names["b.c.wild.test"] = [PUBLIC2]
    assert addresses(ask(door, query("a.wild.test"))) == [PUBLIC]
    assert addresses(ask(door, query("b.c.wild.test"))) == [PUBLIC2]


@scene
def local_reverse_and_numeric_names_are_refused():
    assert_refused("10.0.0.20.in-addr.arpa", "host_not_allowed", kind="PTR")
    assert_refused("localhost", "host_not_allowed")
    assert_refused("printer.local", "host_not_allowed")
    assert_refused("plain.local", "name_prohibited")
    assert_refused("metadata.google.internal", "name_prohibited")
    assert_refused("20.0.0.10", "host_not_allowed")         # a rule of that address names no name
    assert_refused("0x7f.1", "host_numeric")


@scene
def names_that_are_no_hosts_are_refused_and_told_harmlessly():
    for labels, shown in ((["al lowed", "test"], "al lowed.test"), (["allowed.test"], "allowed.test"), ([], ""),
                          (["\x1b[2J\n", "test"], "\x1b[2j\n.test"), (["xn--\xff", "test"], None)):
        name = dns.name.Name([*(la.encode("latin-1") for la in labels), b""])
        mark = h.mark()
        answer = ask(door, query(name))
        assert code(answer) == "REFUSED", (labels, answer)
        line = h.wait_line(lambda li: li.get("msg") == "dns" and li["reason"] == "host_malformed", mark, what="the refusal")
        assert shown is None or line["name"].lower() == shown, line
    assert not stub.queries


@scene
def the_operators_own_rows_answer_too():
    answer = ask(door, query("pinned.test"))
    assert addresses(answer) == [PUBLIC2] and 0 < answer.answer[0].ttl <= 60 and not stub.queries, answer


# ---- which addresses

@scene
def an_address_that_the_rule_could_not_dial_is_never_handed_out():
    for values in ([METADATA], [PRIVATE], [PUBLIC, "127.0.0.1"], [PUBLIC, "::ffff:10.20.0.10"], ["64:ff9b::a9fe:a9fe", PUBLIC]):
        stub.names["meta.test"] = values
        for kind in ("A", "AAAA"):
            line = assert_refused("meta.test", "address_prohibited", kind=kind, lookups=2)
            assert "prohibited" in line, line


@scene
def a_rule_opens_its_own_addresses_alone():
    stub.names["private.test"] = [PRIVATE]
    stub.names["box.local"] = ["10.20.9.9"]
    stub.names["two.test"] = [PRIVATE]
    assert addresses(ask(door, query("private.test"))) == [PRIVATE]
    assert addresses(ask(door, query("box.local"))) == ["10.20.9.9"]
    assert addresses(ask(door, query("two.test"))) == [PRIVATE]     # by the second of its rules
    stub.names["private.test"] = ["10.20.0.11"]
    assert_refused("private.test", "address_prohibited", lookups=2)


@scene
def an_alias_of_a_metadata_service_is_refused():
    stub.names["meta.test"] = [("CNAME", "metadata.google.internal"), PUBLIC]
    assert_refused("meta.test", "name_prohibited", lookups=2)


# ---- the answer

@scene
def of_an_allowed_name_nothing_but_addresses_is_told():
    for kind in ("HTTPS", "SVCB", "MX", "TXT", "SOA", "NS", "CNAME", "DNSKEY"):
        answer = ask(door, query("allowed.test", kind))
        assert code(answer) == "NOERROR" and not answer.answer, answer
    for kind in ("ANY", "AXFR", "TSIG"):
        assert_refused("allowed.test", "dns_type", kind=kind)
    chaos = dns.message.make_query("allowed.test", "A", "CH")
    assert code(ask(door, chaos)) == "REFUSED"
    assert not stub.queries


@scene
def case_is_kept_in_the_answer_and_means_nothing():
    q = query("aLLoWed.TesT")
    with connected(door) as s:
        s.send(q.to_wire())
        data = s.recv(65535)
    assert b"\x07aLLoWed\x04TesT\0" in data and addresses(read(data, q)) == [PUBLIC]


@scene
def an_answer_lives_as_long_as_its_shortest_record_and_a_minute_at_most():
    for ttl, least, most in ((86400, 60, 60), (7, 0, 7), (0, 0, 0)):
        stub.names["allowed.test"] = lambda q, nth, ttl=ttl: q.answer([PUBLIC], ttl=ttl)
        answer = ask(door, query("allowed.test"))
        assert least <= answer.answer[0].ttl <= most, (ttl, answer)


@scene
def a_name_that_is_not_there_has_no_address_or_cannot_be_asked_is_told_apart():
    del stub.names["allowed.test"]
    assert code(ask(door, query("allowed.test"))) == "NXDOMAIN"
    stub.names["allowed.test"] = lambda q, nth: q.answer(code=stub_dns.SERVFAIL)
    assert code(ask(door, query("allowed.test"))) == "SERVFAIL"
    stub.names["allowed.test"] = []
    answer = ask(door, query("allowed.test"))
    assert code(answer) == "NOERROR" and not answer.answer
    stub.names["allowed.test"] = lambda q, nth: None
    mark = h.mark()
    assert code(ask(door, query("allowed.test"))) == "SERVFAIL"
    assert told("allowed.test", mark)["reason"] == "dns_timeout"


@scene
def many_addresses_go_over_tcp_or_into_a_datagram_that_the_client_takes():
    many = [f"20.1.0.{i}" for i in range(1, 61)]
    stub.names["allowed.test"] = many
    short = ask(door, query("allowed.test"))
    assert short.flags & dns.flags.TC and not short.answer
    longer = ask(door, query("allowed.test", edns=0, payload=4096))
    assert not longer.flags & dns.flags.TC and len(addresses(longer)) == 60 and longer.payload == 1232
    assert ask(door, query("allowed.test", edns=0, payload=100)).flags & dns.flags.TC
    (whole,) = ask_tcp(door, query("allowed.test"))
    assert addresses(whole) == sorted(many) and not whole.flags & dns.flags.TC


@scene
def edns_is_answered_by_its_own():
    answer = ask(door, query("allowed.test", edns=0, want_dnssec=True))
    assert answer.edns == 0 and answer.ednsflags & dns.flags.DO and addresses(answer) == [PUBLIC]
    mark = h.mark()
    with connected(door) as s:
        s.send(GOOD[:10] + b"\0\1" + GOOD[12:] + b"\0\0\x29\4\xd0\0\1\0\0\0\0")        # version 1
        got = dns.message.from_wire(s.recv(65535))
    assert got.edns == 0 and code(got) == "BADVERS", got
    h.wait_line(lambda li: li.get("reason") == "dns_version", mark, what="the version")


@scene
def a_client_that_goes_through_search_domains_can_be_told_that_there_is_no_such_name():
    assert code(ask(lenient, query("allowed.test.ns.svc.cluster.local"))) == "NXDOMAIN"
    assert code(ask(lenient, query("theirs.test"))) == "NXDOMAIN"
    assert addresses(ask(lenient, query("allowed.test"))) == [PUBLIC]


# ---- what is no query

MALFORMED = [("two questions", GOOD[:4] + b"\0\2" + GOOD[6:] + GOOD[12:]), ("no question", GOOD[:4] + b"\0\0" + GOOD[6:12]),
             ("an answer", GOOD[:6] + b"\0\1" + GOOD[8:]), ("an authority", GOOD[:8] + b"\0\1" + GOOD[10:]),
             ("a byte behind", GOOD + b"x"), ("cut", GOOD[:-1]), ("a pointer", GOOD[:12] + b"\xc0\x0c\0\1\0\1"),
             ("a long label", GOOD[:12] + b"\x40" + b"a" * 64 + b"\0\0\1\0\1"),
             ("a long name", GOOD[:12] + (b"\x3f" + b"a" * 63) * 4 + b"\0\0\1\0\1"),
             ("two additions", GOOD[:10] + b"\0\2" + GOOD[12:] + b"\0\0\x29\4\xd0\0\0\0\0\0\0" * 2),
             ("no OPT", GOOD[:10] + b"\0\1" + GOOD[12:] + b"\0\0\1\0\1\0\0\0\0\0\4\1\2\3\4"),
             ("half an option", GOOD[:10] + b"\0\1" + GOOD[12:] + b"\0\0\x29\4\xd0\0\0\0\0\0\3\0\1\0"),
             ("truncated, it says", GOOD[:2] + b"\3\0" + GOOD[4:]), ("longer than any", GOOD + b"\0" * 1300)]


@scene
def what_is_not_one_plain_question_is_a_format_error():
    for what, data in MALFORMED:
        mark = h.mark()
        with connected(door) as s:
            s.send(data)
            got = s.recv(65535)
        assert got[:2] == b"\0\7" and got[3] & 0xf == 1, (what, got)
        line = h.wait_line(lambda li: li.get("msg") == "dns", mark, what=what)
        assert line["reason"] == "dns_query", (what, line)
    assert not stub.queries


@scene
def other_opcodes_are_not_implemented():
    mark = h.mark()
    with connected(door) as s:
        s.send(GOOD[:2] + b"\x28\0" + GOOD[4:])          # UPDATE
        assert s.recv(65535)[3] & 0xf == 4
    assert h.wait_line(lambda li: li.get("msg") == "dns", mark, what="it")["reason"] == "dns_opcode"


@scene
def an_answer_is_never_answered():
    before = ops.Page(h)
    with connected(door) as s:
        for nothing in (GOOD[:2] + b"\x81\x80" + GOOD[4:], b"", b"\0", GOOD[:11]):
            s.send(nothing)
        s.send(query("allowed.test", id=99).to_wire())
        assert s.recv(65535)[:2] == b"\0\x63"
    assert ops.Page(h).total("holdfast_dns_dropped_total") - before.total("holdfast_dns_dropped_total") == 4


# ---- ways in

@scene
def answers_come_from_the_address_that_was_asked():
    for at in (PUBLIC, PUBLIC2, "127.0.0.9"):
        with datagram_socket() as s:        # not connected: it hears anybody
            s.sendto(query("allowed.test").to_wire(), (at, anywhere[1]))
            data, peer = s.recvfrom(65535)
        assert peer == (at, anywhere[1]) and addresses(read(data)) == [PUBLIC]
    assert addresses(ask(door6, query("allowed.test"))) == [PUBLIC]
    assert addresses(ask_tcp(door6, query("allowed.test"))[0]) == [PUBLIC]


@scene
def who_sends_without_connecting_is_known_by_his_port():
    with datagram_socket(OTHER_UID) as s:
        s.sendto(query("allowed.test").to_wire(), door)
        assert code(read(s.recv(65535))) == "REFUSED"
    with datagram_socket() as s, datagram_socket() as six:
        s.sendto(query("allowed.test").to_wire(), door)
        assert addresses(read(s.recv(65535))) == [PUBLIC]
    with datagram_socket(OTHER_UID, socket.AF_INET6) as six:     # and to the kernel of another family
        six.sendto(query("allowed.test").to_wire(), ("::ffff:" + door[0], door[1]))
        assert code(read(six.recv(65535))) == "REFUSED"


@scene
def who_cannot_be_known_is_answered_what_anybody_may_have():
    """Two users' sockets on one port: neither of them is he."""
    sockets = [datagram_socket(uid) for uid in (WORKLOAD_UID, OTHER_UID)]
    for s in sockets:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sockets[0].bind(("127.0.0.1", 0))
    sockets[1].bind(sockets[0].getsockname())
    stub.names["theirs.test"] = [PUBLIC2]
    for name, expected in (("allowed.test", "NOERROR"), ("theirs.test", "NOERROR"), ("denied.test", "REFUSED")):
        mark = h.mark()
        sockets[0].sendto(query(name).to_wire(), door)
        line = told(name, mark)
        assert line["code"] == expected and "uid" not in line, line
    for s in sockets:
        s.close()


@scene
def several_questions_on_one_connection_are_answered_in_turn():
    stub.names["a.wild.test"] = [PUBLIC2]
    answers = ask_tcp(door, query("allowed.test"), query("denied.test"), query("a.wild.test"), query("allowed.test", "HTTPS"))
    assert [code(a) for a in answers] == ["NOERROR", "REFUSED", "NOERROR", "NOERROR"]
    assert [addresses(a) for a in answers] == [[PUBLIC], [], [PUBLIC2], []]


@scene
def a_question_may_come_in_pieces_and_a_connection_may_end_anywhere():
    data = frame(query("allowed.test"))
    with connect(*door) as s:
        for byte in data:
            s.send(bytes([byte]))
        assert addresses(read(read_frame(s))) == [PUBLIC]
    for cut in (0, 1, 2, 5, len(data) - 1):
        with connect(*door) as s:
            s.sendall(data[:cut])
            s.shutdown(socket.SHUT_WR)
            assert read_frame(s) is None
    for nonsense in (b"\xff\xff" + b"a" * 2000, b"\0\0" + data, b"GET / HTTP/1.1\r\n\r\n"):
        with connect(*door) as s:
            s.sendall(nonsense)
            try:
                assert read_frame(s) is None
            except ConnectionResetError:
                pass
    assert addresses(ask(door, query("allowed.test"))) == [PUBLIC]


@scene
def a_client_that_leaves_while_its_name_is_looked_up_is_missed_by_nobody():
    asked, go = threading.Event(), threading.Event()

    def slow(q, nth):
        asked.set()
        go.wait(60)
        return q.answer([PUBLIC])
    stub.names["a.wild.test"] = slow
    with connect(*door) as s:
        s.sendall(frame(query("a.wild.test")))
        assert asked.wait(120)
    go.set()
    assert addresses(ask(door, query("allowed.test"))) == [PUBLIC]


@scene
def a_caller_of_a_connection_is_known_too():
    mark = h.mark()
    (answer,) = ask_tcp(door, query("allowed.test"), uid=OTHER_UID)
    assert code(answer) == "REFUSED"
    line = told("allowed.test", mark)
    assert (line["uid"], line["over"], line["reason"]) == (OTHER_UID, "tcp", "caller_not_allowed"), line


# ---- real clients

@scene
def dig_understands_every_answer():
    if shutil.which("dig") is None:
        raise Skip("dig is not installed (bind9-dnsutils)")

    def dig(*words):
        done = run_as(WORKLOAD_UID, ["dig", f"@{door[0]}", "-p", str(door[1]), "+tries=3", "+timeout=60", *words], text=True, capture_output=True)
        assert done.returncode == 0, done.stdout + done.stderr
        for complaint in ("WARNING", "malformed", "Warning: "):
            assert complaint not in done.stdout, done.stdout
        return done.stdout
    assert dig("+short", "allowed.test") == PUBLIC + "\n"
    assert dig("+short", "+tcp", "AAAA", "allowed.test") == V6 + "\n"
    assert "status: REFUSED" in dig("denied.test") and "status: REFUSED" in dig("+tcp", "-x", "20.0.0.10")
    assert "status: NOERROR" in dig("HTTPS", "allowed.test")
    assert "flags: qr rd ra;" in dig("+noadflag", "allowed.test")
    stub.names["allowed.test"] = [f"20.1.0.{i}" for i in range(1, 201)]
    assert len(dig("+short", "allowed.test").split()) == 200       # truncated, and asked again over TCP


def in_a_world_of(resolv, uid, *words):
    """A command whose /etc/resolv.conf says this."""
    path, switch = ws.file("resolv.conf", resolv), ws.file("nsswitch.conf", "hosts: dns\n")
    script = f'mount --bind {path} /etc/resolv.conf && mount --bind {switch} /etc/nsswitch.conf && exec setpriv --reuid {uid} --regid {uid} --clear-groups "$@"'
    return subprocess.run(["unshare", "-m", "sh", "-c", script, "sh", *words], text=True, capture_output=True, timeout=600)


@scene
def the_c_librarys_resolver_finds_allowed_names_and_no_others():
    resolv = f"nameserver {NAMESERVER}\noptions timeout:30 attempts:2\n"
    done = in_a_world_of(resolv, WORKLOAD_UID, "getent", "ahosts", "allowed.test")
    assert done.returncode == 0, done
    assert {line.split()[0] for line in done.stdout.splitlines()} == {PUBLIC, V6}, done.stdout
    assert in_a_world_of(resolv, WORKLOAD_UID, "getent", "ahosts", "denied.test").returncode == 2
    # A refusal on the way through search domains ends nothing.
    done = in_a_world_of(resolv + "search ns.svc.cluster.local svc.cluster.local\noptions ndots:5\n", WORKLOAD_UID, "getent", "ahosts", "allowed.test")
    assert done.returncode == 0 and PUBLIC in done.stdout, done


@scene
def questions_that_the_kernel_turned_round_are_answered_as_if_they_had_arrived():
    if shutil.which("nft") is None:
        raise Skip("nft is not installed (nftables)")
    subprocess.run(["ip", "route", "add", "9.9.9.9", "dev", "lo", "src", PUBLIC2], check=True)
    rules = f"""table ip turned {{ chain output {{ type nat hook output priority -100; policy accept;
        ip daddr 9.9.9.9 udp dport 53 redirect to :{anywhere[1]}
        ip daddr 9.9.9.9 tcp dport 53 redirect to :{anywhere[1]}
    }}
    }}"""
    made = subprocess.run(["nft", "-f", "-"], input=rules, text=True, capture_output=True)
    if made.returncode != 0:
        raise Skip("the kernel redirects nothing here: " + made.stderr.splitlines()[0])
    try:
        for uid, expected in ((WORKLOAD_UID, [PUBLIC]), (OTHER_UID, [])):
            mark = h.mark()
            assert addresses(ask(("9.9.9.9", 53), query("allowed.test"), uid)) == expected
            assert told("allowed.test", mark)["uid"] == uid
            mark = h.mark()
            assert addresses(ask_tcp(("9.9.9.9", 53), query("allowed.test"), uid=uid)[0]) == expected
            assert told("allowed.test", mark)["uid"] == uid
    finally:
        subprocess.run(["nft", "delete", "table", "ip", "turned"], check=True)


# ---- bounds

@scene
def a_reload_takes_names_away_at_once():
    assert addresses(ask(door, query("allowed.test"))) == [PUBLIC]
    assert h.reload(config(rules=[rule("other.test")])(h))["msg"] == "config reloaded"
    try:
        assert_refused("allowed.test", "host_not_allowed")
    finally:
        assert h.reload(config()(h))["msg"] == "config reloaded"
    assert addresses(ask(door, query("allowed.test"))) == [PUBLIC]


@scene
def an_answer_on_its_way_is_judged_by_the_rules_in_force_when_it_comes():
    asked, go = threading.Event(), threading.Event()

    def slow(q, nth):
        asked.set()
        go.wait(60)
        return q.answer([PUBLIC])
    stub.names["a.wild.test"] = slow
    mark = h.mark()
    with connected(door) as s:
        s.send(query("a.wild.test").to_wire())
        assert asked.wait(120)
        try:
            assert h.reload(config(rules=[rule("other.test")])(h))["msg"] == "config reloaded"
            go.set()
            # Refused, or (where the reload took longer than a look-up may) failed; answered never.
            assert not read(s.recv(65535)).answer
        finally:
            go.set()
            assert h.reload(config()(h))["msg"] == "config reloaded"
    assert told("a.wild.test", mark)["reason"] in ("host_not_allowed", "dns_timeout")


@scene
def new_names_below_a_wildcard_are_rationed_and_those_known_are_not():
    assert h.reload(config(limits="dns_new_names = 2;")(h))["msg"] == "config reloaded"
    try:
        names = [f"n{i}.wild.test" for i in range(40)]
        stub.names.update({name: [PUBLIC] for name in names})
        codes = [code(ask(door, query(name))) for name in names]
        assert "REFUSED" in codes and codes[0] == "NOERROR", codes
        assert [addresses(ask(door, query(names[0]))) for _ in range(10)] == [[PUBLIC]] * 10
        assert addresses(ask(door, query("allowed.test"))) == [PUBLIC]      # no wildcard, nothing to tell
        h.wait_line(lambda li: li.get("reason") == "dns_new_names", what="the limit")
        asked = {q.name for q in stub.queries} & set(names)
        assert len(asked) == codes.count("NOERROR"), (asked, codes)
    finally:
        assert h.reload(config()(h))["msg"] == "config reloaded"


@scene
def a_flood_is_dropped_and_others_are_served():
    assert h.reload(config(limits="dns_queries = 5;")(h))["msg"] == "config reloaded"
    before = ops.Page(h).total("holdfast_dns_dropped_total")
    try:
        with connected(door, OTHER_UID) as flood:
            for _ in range(2000):
                flood.send(GOOD)
            with connected(door) as s:
                s.settimeout(5)
                got = None
                while got is None:          # a datagram may find the queue full: a resolver asks again
                    s.send(query("allowed.test").to_wire())
                    try:
                        got = s.recv(65535)
                    except TimeoutError:
                        pass
            assert addresses(read(got)) == [PUBLIC]
        assert ops.Page(h).total("holdfast_dns_dropped_total") > before
        h.wait_for("dns queries dropped")
        with connect(*door, uid=OTHER_UID) as s:        # on a connection: it is closed
            s.sendall(frame(GOOD) * 200)
            try:
                while read_frame(s) is not None:
                    pass
            except ConnectionResetError:
                pass
    finally:
        assert h.reload(config()(h))["msg"] == "config reloaded"


@scene
def look_ups_under_way_are_bounded():
    names = [f"s{i}.test" for i in range(4)]
    assert h.reload(config([rule(name) for name in names], limits="dns_lookups = 4;")(h))["msg"] == "config reloaded"
    stub.names.update({name: lambda q, nth: None for name in names})      # silence
    mark = h.mark()
    try:
        with connected(door) as s:
            for name in names:
                s.send(query(name).to_wire())
            codes = {code(read(s.recv(65535))) for _ in names}
        assert codes == {"SERVFAIL"}, codes
        assert h.wait_line(lambda li: li.get("reason") == "dns_busy", mark, what="the limit")["code"] == "SERVFAIL"
    finally:
        assert h.reload(config()(h))["msg"] == "config reloaded"


@scene
def connections_of_one_caller_are_bounded_and_anothers_have_room():
    stub.names["theirs.test"] = [PUBLIC2]
    held = [connect(*door) for _ in range(60)]
    try:
        assert addresses(ask_tcp(door, query("theirs.test"), uid=OTHER_UID)[0]) == [PUBLIC2]
        ended = select.poll()
        for s in held:
            ended.register(s, select.POLLIN)
        gone = set()
        while len(gone) < 60 - 2 * 16:      # sixteen stay, at each worker
            now = ended.poll(PATIENCE * 1000)
            assert now, gone
            for fd, _ in now:
                gone.add(fd)
                ended.unregister(fd)
    finally:
        for s in held:
            s.close()


# ---- figures

@scene
def queries_are_counted_by_what_came_of_them():
    before = ops.Page(h)
    ask(door, query("allowed.test"))
    ask(door, query("denied.test"))
    now = ops.Page(h)
    for reason in ("ok", "host_not_allowed"):
        assert now.get("holdfast_dns_queries_total", reason=reason) - (before.get("holdfast_dns_queries_total", reason=reason) or 0) == 1
    assert now.get("holdfast_dns_lookups") == 0


def end():
    h.stop()
    ws.remove()


main(end)
