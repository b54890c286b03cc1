"""Asking a dns door as some uid, by sockets of our own; what comes back is read by dnspython, another's reader."""

import contextlib
import socket
import struct

from client import WORKLOAD_UID, as_uid, connect
from promise import skip_file

try:
    import dns.flags
    import dns.message
    import dns.name
    import dns.rcode
except ImportError:
    skip_file("dnspython is not installed (python3-dnspython)")


def query(name, kind="A", edns=-1, payload=1232, **more):
    q = dns.message.make_query(name, kind, use_edns=edns, payload=payload, **more)
    return q


def datagram_socket(uid=WORKLOAD_UID, family=socket.AF_INET):
    with as_uid(uid):
        s = socket.socket(family, socket.SOCK_DGRAM)
    s.settimeout(120)
    return s


@contextlib.contextmanager
def connected(door, uid=WORKLOAD_UID):
    with datagram_socket(uid, socket.AF_INET6 if ":" in door[0] else socket.AF_INET) as s:
        s.connect(door)
        yield s


def wire(message):
    return message if isinstance(message, bytes) else message.to_wire()


def read(data, asked=None):
    """Its answer, by a reader that takes nothing it should not."""
    got = dns.message.from_wire(data, raise_on_truncation=False)
    assert got.flags & dns.flags.QR and got.flags & dns.flags.RA and not got.flags & dns.flags.AA, got
    if isinstance(asked, dns.message.Message):
        assert got.id == asked.id and got.question == asked.question, (got, asked)
        assert bool(got.flags & dns.flags.RD) == bool(asked.flags & dns.flags.RD)
        assert (got.edns >= 0) == (asked.edns >= 0)
    return got


def ask(door, message, uid=WORKLOAD_UID):
    """One question by a datagram of a socket that is connected, as resolvers have them."""
    with connected(door, uid) as s:
        s.send(wire(message))
        return read(s.recv(65535), message)


def frame(message):
    data = wire(message)
    return struct.pack(">H", len(data)) + data


def read_frame(sock):
    """One message off a connection; None at its end."""
    data = b""
    while len(data) < 2 or len(data) < 2 + struct.unpack(">H", data[:2])[0]:
        more = sock.recv(1 if len(data) < 2 else 2 + struct.unpack(">H", data[:2])[0] - len(data))
        if not more:
            return None
        data += more
    return data[2:]


def ask_tcp(door, *messages, uid=WORKLOAD_UID):
    """Several questions on one connection, sent at once."""
    with connect(*door, uid=uid) as s:
        s.sendall(b"".join(frame(m) for m in messages))
        return [read(read_frame(s), m) for m in messages]


def addresses(answer):
    return sorted(r.address for rrset in answer.answer for r in rrset)


def code(answer):
    return dns.rcode.to_text(answer.rcode())
