"""A workload that answers in a nameserver's place: it shares Holdfast's network, reads the port of a query in /proc/net as anybody
there may, and writes the nameserver's address on what it sends. It is even told the query's number, which it would have to guess."""

import os
import socket

from holdfast import (Holdfast, Origin, PUBLIC, PUBLIC2, WORKLOAD_UID, Workspace, as_uid, curl, forward_config, main, own_network, promise)
from outside import OURS6, Outside
from patience import until
from stub_dns import StubDNS

own_network()

NAMESERVER, FREEBIND = "2600:1::53", 78
with open("/proc/sys/net/ipv4/ip_unprivileged_port_start", "w", encoding="ascii") as f:
    f.write("0")         # as container engines have it

outside = Outside(PUBLIC, [PUBLIC, PUBLIC2, NAMESERVER])
ws = Workspace()
with outside.entered():
    dns = StubDNS(address=NAMESERVER, port=53)
    origin = Origin(PUBLIC, 443, ws.leaf("allowed.test"))
    elsewhere = Origin(PUBLIC2, 443, ws.leaf("allowed.test"))


def impostor():
    """A socket of the workload's that sends from the nameserver's address."""
    with as_uid(WORKLOAD_UID):
        sock = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
        sock.setsockopt(socket.IPPROTO_IPV6, FREEBIND, 1)
        sock.bind((NAMESERVER, 53))
    return sock


spoof = impostor()


def asking():
    """The ports of this network's sockets that are connected to the nameserver, as its processes see them."""
    raw = socket.inet_pton(socket.AF_INET6, NAMESERVER)
    there = "".join(raw[i:i + 4][::-1].hex().upper() for i in range(0, 16, 4)) + ":0035"
    with open(f"/proc/{os.getpid()}/net/udp6", encoding="ascii") as f:
        fields = [line.split() for line in f][1:]
    return [int(row[1].rpartition(":")[2], 16) for row in fields if row[2] == there]


@promise
def the_kernel_lets_a_workload_speak_with_a_nameservers_address():
    """Without that nothing of what follows would be tried."""
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sock:
        sock.settimeout(120)
        sock.connect((NAMESERVER, 53))
        assert sock.getsockname()[1] in asking()
        spoof.sendto(b"an answer", sock.getsockname())
        assert sock.recv(100) == b"an answer"


@promise
def what_a_workload_answers_in_a_nameservers_place_is_not_heard():
    told = []

    def answer(query, _nth):
        for port in asking():
            spoof.sendto(query.answer([PUBLIC2]), (OURS6, port))
            told.append(port)
        return query.answer([PUBLIC])

    dns.names["allowed.test"] = answer
    rule = f'{{ host = "allowed.test"; methods = ["GET"]; paths = ["/**"]; upstream_trust = "{ws.ca.file}"; }}'
    h = Holdfast(ws, forward_config(rule, names=f'resolver = {{ servers = ["{dns.server}"]; }};'))
    done = curl(h.proxy, h.bundle, "-sf", "https://allowed.test/x")
    assert done.returncode == 0, (done, h.tail())
    until(lambda: told, "a query")
    assert len(origin.requests) == 1 and not elsewhere.requests
    h.stop()


main()
