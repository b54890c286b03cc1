"""Another network behind a cable: the machines that a workload would reach if it could, and a witness on the far end who
counts what arrives there. Only what really left our network is counted: neither what we asked for nor what we were told."""

import contextlib
import ctypes
import os
import socket
import subprocess
import time

from holdfast import PROXY_UID, as_uid, at_end
from patience import until

GATEWAY, GATEWAY6 = "198.51.100.1", "2001:db8:1::1"
OURS, OURS6 = "198.51.100.2", "2001:db8:1::2"

_CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)

WITNESS = """
table inet witness
delete table inet witness
table inet witness {{
    counter sentinel {{
    }}
    counter neighbours {{
    }}
    counter service {{
    }}
    counter other {{
    }}
    chain arrives {{
        type filter hook prerouting priority raw; policy accept;
        iifname != "cable" accept
        udp dport {port} ip daddr {gateway} counter name "sentinel" drop
        icmpv6 type {{ nd-neighbor-solicit, nd-neighbor-advert, nd-router-solicit }} counter name "neighbours" accept
        ip daddr {service} tcp dport 443 counter name "service" accept
        counter name "other" accept
    }}
}}
"""


def _enter(fd):
    if _libc.setns(fd, _CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns")


def ip(*words):
    subprocess.run(["ip", *words], check=True)


class Outside:
    """service: the address that Holdfast may reach at port 443; addresses: all that are there."""

    def __init__(self, service, addresses):
        self.inside = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        self.service = service
        if _libc.unshare(_CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), "unshare")
        self.there = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        try:
            self._furnish(addresses)
        finally:
            _enter(self.inside)
        ip("addr", "add", OURS + "/24", "dev", "cable")
        ip("addr", "add", OURS6 + "/64", "dev", "cable", "nodad")
        ip("link", "set", "cable", "up")
        ip("route", "add", "default", "via", GATEWAY)
        ip("-6", "route", "add", "default", "via", GATEWAY6)
        self._sentinel = self._socket_of_ours()
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})      # so that what was sent first arrives first

    def _furnish(self, addresses):
        ip("link", "set", "lo", "up")
        ip("link", "add", "cable", "type", "veth", "peer", "name", "cable", "netns", f"/proc/{os.getpid()}/fd/{self.inside}")
        ip("addr", "add", GATEWAY + "/24", "dev", "cable")
        ip("addr", "add", GATEWAY6 + "/64", "dev", "cable", "nodad")
        ip("link", "set", "cable", "up")
        for address in addresses:
            bits, more = ("/128", ["nodad"]) if ":" in address else ("/32", [])
            ip("addr", "add", address + bits, "dev", "lo", *more)
        self._port = 9
        self._witness = WITNESS.format(port=self._port, gateway=GATEWAY, service=self.service)
        self.forget()

    @contextlib.contextmanager
    def entered(self):
        """What this thread makes in here (sockets, servers) is there, and stays there."""
        _enter(self.there)
        try:
            yield self
        finally:
            _enter(self.inside)

    def link_local(self):
        """The far end's address that needs no route."""
        with self.entered():
            told = subprocess.run(["ip", "-6", "-o", "addr", "show", "dev", "cable", "scope", "link"], check=True,
                                  capture_output=True, text=True).stdout
        return told.split("inet6 ")[1].split("/")[0]

    @staticmethod
    def _socket_of_ours():
        with as_uid(PROXY_UID):
            return socket.socket(socket.AF_INET, socket.SOCK_DGRAM)

    # ---- the witness

    def forget(self):
        """Every count is 0 again."""
        before = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        _enter(self.there)
        try:
            subprocess.run(["nft", "-f", "-"], input=self._witness, text=True, check=True)
        finally:
            _enter(before)
            os.close(before)

    def count(self, name):
        with self.entered():
            told = subprocess.run(["nft", "list", "counter", "inet", "witness", name], check=True, capture_output=True,
                                  text=True).stdout
        return int(told.split("packets ")[1].split()[0])

    def arrived(self):
        """What had arrived when all that was sent before had: (of the service's, of others)."""
        seen = self.count("sentinel")

        def knocked():
            self._sentinel.sendto(b"x", (GATEWAY, self._port))
            return self.count("sentinel") > seen
        until(knocked, "a packet of Holdfast's uid")
        return self.count("service"), self.count("other")

    def wait_quiet(self):
        """Until the ends of earlier connections have been told."""
        def settled():
            before = self.arrived()
            time.sleep(0.3)
            return self.arrived() == before
        until(settled, "quiet")
