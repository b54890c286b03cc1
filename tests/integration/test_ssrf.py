"""Every spelling of every address that must not be reached: nothing connects, whatever the place the name stands in."""

import os

from holdfast import (ADDRESSES, PUBLIC, ROOT, Closed, Sidecar, StubDNS, Trap, main, own_network, promise, rows, vectors)

FORBIDDEN = ["127.0.0.1", "169.254.169.254", "169.254.170.2", "::1", "fd00:ec2::254", "100.100.100.200", "168.63.129.16"]
own_network(ADDRESSES + ["169.254.170.2", "fd00:ec2::254", "100.100.100.200", "168.63.129.16"])
traps = [Trap(address, port) for address in FORBIDDEN for port in (80, 443)]
# Every name that is not ours means 127.0.0.1 to this name server: whoever looks one up and goes there is caught.
names = StubDNS({"allowed.test": [PUBLIC]})
names.names = type("Everything", (dict,), {"get": lambda self, n, d=None: dict.get(self, n, ["127.0.0.1"])})(names.names)
s = Sidecar(names=f'resolver = {{ servers = ["{names.server}"]; timeout = "2s"; }};',
            limits='head_timeout = "3s"; handshake_timeout = "3s"; connection_idle = "3s"; refusal_leaf_rate = 1000;')
CASES = vectors("ssrf/hosts.json")["cases"]


def tricks():
    path = os.path.join(ROOT, "tests/vectors/egress-targets/host-tricks.tsv")
    with open(path, encoding="utf-8") as f:
        lines = [line.rstrip("\n").split("\t") for line in f][1:]
    for n, line in enumerate(lines):
        host = line[0].encode().decode("unicode_escape") if "\\" in line[0] else line[0]
        yield {"id": f"trick-{n}", "host": host, "expect": "deny", "category": line[1]}


def with_port(case):
    return case["host"] if case["id"].startswith(("port-", "two-ports")) else case["host"] + ":443"


def nothing_was_reached():
    reached = [(t.address, t.port) for t in traps if t.visits]
    assert not reached, reached


def judge(case, mark, status):
    nothing_was_reached()
    expect = case["expect"]
    if expect == "allow":
        assert status == 200, status
    elif expect != "either":
        assert status is None or status in (400, 403, 421), status
    for line in s.h.requests(mark):
        assert line["to"].startswith("allowed.test:") or "up" not in line, line


@rows(CASES + list(tricks()))
def in_connect(case):
    mark, before = s.h.mark(), len(s.origin.requests)
    target = with_port(case).encode("utf-8", "surrogatepass")
    with s.h.open() as channel:
        channel.send(b"CONNECT " + target + b" HTTP/1.1\r\nHost: " + target + b"\r\n\r\n")
        try:
            answer = channel.read_answer("CONNECT")
            if answer.status == 200:
                channel.start_tls(_anyone(), _sni(case["host"]))
                answer = channel.request("GET", "/", case["host"])
            status = answer.status
        except (Closed, OSError):
            status = None
    judge(case, mark, status)
    if case["expect"] not in ("allow", "either"):
        assert len(s.origin.requests) == before, "it reached a service"


@rows(CASES)
def in_the_host_field(case):
    mark = s.h.mark()
    with s.h.tls() as channel:
        channel.send(b"GET / HTTP/1.1\r\nHost: " + case["host"].encode() + b"\r\n\r\n")
        try:
            status = channel.read_answer().status
        except Closed:
            status = None
    if case["id"] == "port-lead" or case["id"] == "port-empty":
        return nothing_was_reached()
    judge(case, mark, status)


@rows(CASES)
def in_an_absolute_target(case):
    mark = s.h.mark()
    with s.h.open() as channel:
        channel.send(b"GET http://" + case["host"].encode() + b"/ HTTP/1.1\r\nHost: " + case["host"].encode() + b"\r\n\r\n")
        try:
            status = channel.read_answer().status
        except Closed:
            status = None
    nothing_was_reached()
    assert status != 200 and all("up" not in li for li in s.h.requests(mark)), status


@promise
def a_name_that_no_rule_allows_is_not_even_looked_up():
    s.h.connect("secrets-in-a-name.denied.test:443")[0].close()
    with s.h.tls("secrets-in-another.denied.test:443") as channel:
        assert channel.request("GET", "/", "secrets-in-another.denied.test").reason == "host_not_allowed"
    asked = {q.name for q in names.queries}
    assert asked <= {"allowed.test"}, asked


def _anyone():
    context = s.h.client_context()
    context.check_hostname = False
    return context


def _sni(host):
    bare = host.strip("[]").rstrip(".")
    return bare if bare and all(c.isascii() and (c.isalnum() or c in "-._") for c in bare) else None


@promise
def the_traps_do_catch():
    import socket
    for trap in traps:
        socket.create_connection((trap.address, trap.port)).close()
        trap.wait_visit()
        trap.forget()


main(s.end)
