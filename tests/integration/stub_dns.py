"""A name server on loopback that answers as a test scripts it, over UDP and TCP, and counts what it is asked."""

import ipaddress
import socket
import struct
import threading

A, CNAME, AAAA = 1, 5, 28
NOERROR, SERVFAIL, NXDOMAIN = 0, 2, 3


def encode_name(name):
    return b"".join(bytes([len(p)]) + p.encode("latin-1") for p in name.rstrip(".").split(".")) + b"\0"


def record(name, value, ttl=0):
    """An A, AAAA or (for a name) CNAME record."""
    try:
        address = ipaddress.ip_address(value)
        kind, data = (A if address.version == 4 else AAAA), address.packed
    except ValueError:
        kind, data = CNAME, encode_name(value)
    return kind, encode_name(name) + struct.pack(">HHIH", kind, 1, ttl, len(data)) + data


class Query:
    def __init__(self, data, tcp):
        self.id, self.tcp = data[:2], tcp
        at, labels = 12, []
        while data[at]:
            labels.append(data[at + 1:at + 1 + data[at]].decode("latin-1"))
            at += 1 + data[at]
        self.name = ".".join(labels).lower()
        self.kind = struct.unpack(">H", data[at + 1:at + 3])[0]
        self.question = data[12:at + 5]

    def answer(self, values=(), code=NOERROR, ttl=0, id_=None, only_kind=True):
        """An answer with those of the values that were asked for. A value is an address, or ("name", target) for a
        CNAME that later addresses then belong to."""
        name, packed = self.name, []
        for value in values:
            if isinstance(value, tuple):
                packed.append(record(name, value[1], ttl)[1])
                name = value[1]
                continue
            kind, data = record(name, value, ttl)
            if not only_kind or kind == self.kind:
                packed.append(data)
        body = b"".join(packed)
        flags = 0x8180 | code
        if not self.tcp and len(body) + 12 + len(self.question) > 512:
            flags, packed, body = flags | 0x0200, [], b""       # truncated: come again over TCP
        return (id_ or self.id) + struct.pack(">HHHHH", flags, 1, len(packed), 0, 0) + self.question + body


class StubDNS:
    """names: {"allowed.test": [values]}, or a callable(query, nth) that returns the bytes of the answer, or None for
    silence. A name that is not there does not exist."""

    def __init__(self, names=None, address="127.0.0.53", port=0):
        self.names = dict(names or {})
        self.queries = []
        self._lock = threading.Lock()
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self._udp = socket.socket(family, socket.SOCK_DGRAM)
        self._udp.bind((address, port))
        self.address, self.port = self._udp.getsockname()[:2]
        self._tcp = socket.create_server((address, self.port), family=family)
        threading.Thread(target=self._serve_udp, daemon=True).start()
        threading.Thread(target=self._serve_tcp, daemon=True).start()

    @property
    def server(self):
        return f"[{self.address}]:{self.port}" if ":" in self.address else f"{self.address}:{self.port}"

    def _reply(self, data, tcp):
        try:
            query = Query(data, tcp)
        except (IndexError, struct.error):
            return None
        with self._lock:
            self.queries.append(query)
            nth = sum(1 for q in self.queries if (q.name, q.kind) == (query.name, query.kind))
            values = self.names.get(query.name)
        if values is None:
            return query.answer(code=NXDOMAIN)
        if callable(values):
            return values(query, nth)
        return query.answer(values)

    def _serve_udp(self):
        while True:
            try:
                data, peer = self._udp.recvfrom(65535)
            except OSError:
                return
            reply = self._reply(data, False)
            for packet in reply if isinstance(reply, list) else [reply]:
                if packet is not None:
                    self._udp.sendto(packet, peer)

    def _serve_tcp(self):
        while True:
            try:
                sock, _ = self._tcp.accept()
            except OSError:
                return
            threading.Thread(target=self._serve_one, args=(sock,), daemon=True).start()

    def _serve_one(self, sock):
        with sock, sock.makefile("rwb") as f:
            while True:
                size = f.read(2)
                if len(size) < 2:
                    return
                reply = self._reply(f.read(struct.unpack(">H", size)[0]), True)
                if reply is None:
                    return
                f.write(struct.pack(">H", len(reply)) + reply)
                f.flush()

    def asked(self, name):
        with self._lock:
            return sum(1 for q in self.queries if q.name == name)

    def stop(self):
        self._udp.close()
        self._tcp.close()
