"""A workload that puts another's address on what it says to Holdfast: what Holdfast, which the rules let pass, would answer must not
carry its words out of the network."""

import contextlib
import shutil
import socket
import struct
import subprocess

from holdfast import BINARY, Holdfast, PROXY_UID, PUBLIC, WORKLOAD_UID, Workspace, as_uid, forward_config, main, own_network, promise, rows, skip_file
from outside import OURS6, Outside
from patience import until
from stub_dns import encode_name

own_network()
if shutil.which("nft") is None:
    skip_file("there is no nft")

RESOLVER6, PUBLIC6, ACCOMPLICE6, FREEBIND = "2600:1::53", "2600:1::10", "2600:1::99", 78

outside = Outside(PUBLIC, [PUBLIC, PUBLIC6, RESOLVER6, ACCOMPLICE6])
ws = Workspace()
RULE = '{ host = "allowed.test"; methods = ["GET"]; paths = ["/**"]; }'
DOORS = ', { kind = "transparent"; listen = "[::1]:15006"; }, { kind = "dns"; listen = "[::]:15053"; }'
# As in a container: its sockets are its own from the start, where those that root binds for it would be root's.
h = Holdfast(ws, forward_config(RULE, listen="[::]:15001", doors=DOORS), uid=PROXY_UID)
CONFIG = ws.file("steer.conf", h.configs[0])
QUESTION = struct.pack(">HHHHHH", 7, 0x0100, 1, 0, 0, 0) + encode_name("a-secret.test") + struct.pack(">HH", 1, 1)


def say(kind, address, port):
    with as_uid(WORKLOAD_UID):
        sock = socket.socket(socket.AF_INET6, kind)
    sock.setsockopt(socket.IPPROTO_IPV6, FREEBIND, 1)
    sock.bind((ACCOMPLICE6, 0))
    sock.setblocking(False)
    with contextlib.suppress(OSError):
        sock.connect((address, port))
        sock.send(QUESTION)
    return sock


WAYS = [("the dns door", socket.SOCK_DGRAM, OURS6, 15053),
        ("DNS that is turned round", socket.SOCK_DGRAM, RESOLVER6, 53),
        ("DNS over TCP that is turned round", socket.SOCK_STREAM, RESOLVER6, 53),
        ("the forward door", socket.SOCK_STREAM, OURS6, 15001),
        ("TCP that is turned round", socket.SOCK_STREAM, PUBLIC6, 443)]


def refused():
    told = subprocess.run(["nft", "list", "counter", "inet", "holdfast", "refused"], capture_output=True, text=True, check=True).stdout
    return int(told.split("packets ")[1].split()[0])


@promise
def without_rules_an_answer_goes_to_whose_address_was_written():
    """What the witness cannot see proves nothing."""
    outside.forget()
    with say(*WAYS[0][1:]):
        until(lambda: outside.arrived()[1] > 0, "the answer")


@rows(WAYS)
def in_redirect_no_answer_of_ours_leaves_for_whom_we_were_not_asked_by(way):
    steered = subprocess.run([BINARY, "steer", "-c", CONFIG, "--mode", "redirect", "--load"], capture_output=True, text=True, check=False)
    assert steered.returncode == 0, steered
    outside.wait_quiet()
    outside.forget()
    before = refused()
    with say(*way[1:]):
        until(lambda: refused() > before, "an answer that is stopped")
        assert outside.arrived() == (0, 0)


@promise
def a_packet_made_up_before_keeps_nothing_of_ours_from_leaving():
    """It is as if ours were an answer to it."""
    with as_uid(PROXY_UID):
        ours = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    with ours:
        ours.bind((OURS6, 0))
        with as_uid(WORKLOAD_UID):
            made_up = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
        with made_up:
            made_up.setsockopt(socket.IPPROTO_IPV6, FREEBIND, 1)
            made_up.bind((ACCOMPLICE6, 0))
            made_up.sendto(b"x", ours.getsockname())
            outside.forget()
            assert ours.sendto(b"y", made_up.getsockname()) == 1
        until(lambda: outside.arrived()[1] > 0, "what is ours")


@promise
def who_really_came_from_outside_is_answered():
    with outside.entered():
        client = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
        stream = socket.create_connection((OURS6, 15001), timeout=120)
    with client, stream:
        client.settimeout(120)
        client.connect((OURS6, 15053))
        client.send(QUESTION)
        assert client.recv(512)[:2] == QUESTION[:2]
        stream.sendall(b"GET / HTTP/1.1\r\n\r\n")
        assert stream.recv(12).startswith(b"HTTP/1.1 4")


main(h.stop)
