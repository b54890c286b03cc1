"""Ways out of a network that know nothing of a proxy, one function each: it sends what it can as this uid, and returns what must be
kept open while the witness looks. Raw sockets are made with root's capabilities: a workload that was given NET_RAW."""

import contextlib
import socket
import struct

from holdfast import Skip, WORKLOAD_UID, as_uid

MPTCP, UDPLITE, SCTP = 262, 136, 132


def opened(family, kind, protocol=0, uid=WORKLOAD_UID):
    """A socket, or Skip where this kernel has none of that kind."""
    try:
        with as_uid(uid):
            sock = socket.socket(family, kind, protocol)
    except OSError as e:
        raise Skip(f"no such socket: {e}") from e
    sock.setblocking(False)
    return sock


def family_of(address):
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def tcp(address, port, protocol=0, before=lambda sock: None):
    def go():
        sock = opened(family_of(address), socket.SOCK_STREAM, protocol)
        before(sock)
        with contextlib.suppress(OSError):
            sock.connect(socket.getaddrinfo(address, port)[0][4])
        return sock
    return go


def udp(address, port, protocol=0, data=b"x", before=lambda sock: None, uid=WORKLOAD_UID):
    def go():
        sock = opened(family_of(address), socket.SOCK_DGRAM, protocol, uid)
        before(sock)
        with contextlib.suppress(OSError):
            sock.sendto(data, socket.getaddrinfo(address, port)[0][4])
        return sock
    return go


def fast_open(address, port):
    def go():
        sock = opened(socket.AF_INET, socket.SOCK_STREAM)
        with contextlib.suppress(OSError):
            sock.sendto(b"a secret", 0x20000000, (address, port))      # MSG_FASTOPEN
        return sock
    return go


def ping(address):
    def go():
        v6 = ":" in address
        sock = opened(family_of(address), socket.SOCK_DGRAM, socket.IPPROTO_ICMPV6 if v6 else socket.IPPROTO_ICMP)
        with contextlib.suppress(OSError):
            sock.sendto(struct.pack(">BBHHH", 128 if v6 else 8, 0, 0, 1, 1) + b"a secret", (address, 0))
        return sock
    return go


def raw(address, protocol, data=b"a secret"):
    def go():
        sock = opened(family_of(address), socket.SOCK_RAW, protocol)
        with contextlib.suppress(OSError):
            sock.sendto(data, (address, 0))
        return sock
    return go


def forged(source, address, more_fragments=False):
    """An IPv4 packet written by hand, from whomever it says."""
    def go():
        sock = opened(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
        data = struct.pack(">HHHH", 5000, 5000, 16, 0) + b"a secret"
        head = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(data), 7, 0x2000 if more_fragments else 0, 64, socket.IPPROTO_UDP, 0,
                           socket.inet_aton(source), socket.inet_aton(address))
        with contextlib.suppress(OSError):
            sock.sendto(head + data, (address, 0))
        return sock
    return go


def join(group):
    """The kernel tells the network which groups we want to hear: as many bits as an address has."""
    def go():
        sock = opened(family_of(group), socket.SOCK_DGRAM)
        index = socket.if_nametoindex("cable")
        if ":" in group:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP,
                            socket.inet_pton(socket.AF_INET6, group) + struct.pack("@I", index))
        else:
            sock.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP,
                            socket.inet_aton(group) + socket.inet_aton("0.0.0.0") + struct.pack("@i", index))
        return sock
    return go


def broadcast(sock):
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)


def bound_to_cable(sock):
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"cable")
