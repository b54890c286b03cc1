"""The workload, as a witness: raw sockets and stock clients under any uid."""

import contextlib
import ctypes
import json
import os
import socket
import ssl
import struct
import subprocess

WORKLOAD_UID = 64901
PROXY_UID = 64902
OTHER_UID = 64903

_libc = ctypes.CDLL(None)


@contextlib.contextmanager
def as_uid(uid):
    """A socket made in here belongs to this uid as far as the kernel tells others; only this thread is changed."""
    _libc.setfsuid(uid)
    try:
        yield
    finally:
        _libc.setfsuid(0)


def connect(address, port, uid=WORKLOAD_UID, timeout=120, window=None):
    """window: how little our kernel takes of what we do not read."""
    with as_uid(uid):
        sock = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
    sock.settimeout(timeout)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if window is not None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, window)
    sock.connect((address, port))
    return sock


def bearer(handle):
    return [("Authorization", f"Bearer {handle}")]


class Answer:
    """One response. `interim` holds the 1xx that came before it; `whole` is whether its body ended as its head promised."""

    def __init__(self, head):
        lines = head.decode("latin-1").split("\r\n")
        self.line = lines[0]
        self.version, _, rest = lines[0].partition(" ")
        self.status = int(rest[:3])
        self.fields = [(n.lower(), v.strip()) for n, _, v in (li.partition(":") for li in lines[1:] if li)]
        self.interim = []
        self.body = b""
        self.trailers = []
        self.whole = False

    def get(self, name):
        return next((v for n, v in self.fields if n == name), None)

    def json(self):
        return json.loads(self.body)

    @property
    def reason(self):
        """The token of a refusal, as the body and Proxy-Status both must tell it; None when this is not a refusal."""
        if self.get("proxy-status") is None:
            return None
        status = self.get("proxy-status")
        assert status.startswith("holdfast; error="), status
        details = status.split('details="')[1].split('"')[0]
        if self.body:
            problem = self.json()
            assert problem["reason"] == details, (problem, status)
            assert problem["status"] == self.status, (problem, self.line)
            for member in ("type", "title", "detail", "request_id"):
                assert problem[member], problem
        return details


class Closed(Exception):
    """The peer closed (or reset) where an answer was due."""


class Channel:
    """A connection of ours, plain or TLS."""

    def __init__(self, sock):
        self.sock = sock
        self.pending = bytearray()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.sock.close()

    def send(self, data):
        if isinstance(data, str):
            data = data.encode("latin-1")
        try:
            self.sock.sendall(data)
        except (OSError, ssl.SSLError) as e:
            raise Closed(str(e)) from e

    def receive(self, most=65536):
        """Some bytes; b"" at the end, however the peer made one."""
        if self.pending:
            data = bytes(self.pending[:most])
            del self.pending[:most]
            return data
        try:
            return self.sock.recv(most)
        except socket.timeout as e:
            raise AssertionError("the client waited in vain") from e
        except (OSError, ssl.SSLError):
            return b""

    def _more(self):
        data = self.sock_receive()
        if not data:
            raise Closed()
        self.pending += data

    def sock_receive(self):
        try:
            return self.sock.recv(65536)
        except socket.timeout as e:
            raise AssertionError("the client waited in vain") from e
        except (OSError, ssl.SSLError):
            return b""

    def until(self, mark):
        while mark not in self.pending:
            self._more()
        end = self.pending.index(mark) + len(mark)
        data = bytes(self.pending[:end])
        del self.pending[:end]
        return data

    def read_head(self):
        return Answer(self.until(b"\r\n\r\n"))

    def read_answer(self, method="GET"):
        interim = []
        answer = self.read_head()
        while 100 <= answer.status < 200:
            interim.append(answer)
            answer = self.read_head()
        answer.interim = interim
        if method == "CONNECT" and answer.status == 200:
            answer.whole = True
            return answer
        self.read_body(answer, method)
        return answer

    def read_body(self, answer, method="GET", on_piece=None):
        keep = on_piece or (lambda piece: setattr(answer, "body", answer.body + piece))
        if method == "HEAD" or answer.status in (204, 304):
            answer.whole = True
            return
        if (answer.get("transfer-encoding") or "").lower() == "chunked":
            while True:
                size = int(self.until(b"\r\n"), 16)
                if size == 0:
                    break
                self._exactly(size, keep)
                assert self.until(b"\r\n") == b"\r\n"
            line = self.until(b"\r\n")
            while line != b"\r\n":
                answer.trailers.append(line.decode("latin-1").strip())
                line = self.until(b"\r\n")
        elif answer.get("content-length") is not None:
            self._exactly(int(answer.get("content-length")), keep)
        else:
            piece = self.receive()
            while piece:
                keep(piece)
                piece = self.receive()
        answer.whole = True

    def _exactly(self, n, keep):
        while n > 0:
            piece = self.receive(min(n, 1 << 18))
            if not piece:
                raise Closed(f"{n} bytes short")
            n -= len(piece)
            keep(piece)

    def read_to_end(self):
        data = b""
        while True:
            piece = self.receive()
            if not piece:
                return data
            data += piece

    def is_closed(self):
        """Nothing more comes, and the end does."""
        return self.read_to_end() == b""

    def start_tls(self, context, server_name):
        self.sock = context.wrap_socket(self.sock, server_hostname=server_name)
        return self

    def request(self, method, path, host, fields=(), body=None, version="HTTP/1.1"):
        """Sends a well-formed request and reads its answer."""
        self.send_request(method, path, host, fields, body, version)
        return self.read_answer(method)

    def send_request(self, method, path, host, fields=(), body=None, version="HTTP/1.1"):
        head = f"{method} {path} {version}\r\nHost: {host}\r\n" + "".join(f"{n}: {v}\r\n" for n, v in fields)
        if body is not None:
            head += f"Content-Length: {len(body)}\r\n"
        self.send(head.encode("latin-1") + b"\r\n" + (body or b""))


# ---- ClientHello, byte by byte: for what no TLS library will send

def client_hello(server_names, alpn=("http/1.1",)):
    """A whole TLS record with a ClientHello; server_names: the bytes of each name in the extension, [] for an
    extension that is not there."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols(list(alpn))
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context.wrap_bio(incoming, outgoing)
    with contextlib.suppress(ssl.SSLWantReadError):
        tls.do_handshake()
    return _with_server_names(outgoing.read(), server_names)


def _with_server_names(record, names):
    hello = record[9:]                          # behind the record's and the handshake's heads
    at = 2 + 32
    at += 1 + hello[at]                         # session id
    at += 2 + struct.unpack_from(">H", hello, at)[0]
    at += 1 + hello[at]                         # compression
    extensions = hello[at + 2:]
    entries = b"".join(b"\0" + struct.pack(">H", len(n)) + n for n in names)
    added = b""
    if names:
        added = struct.pack(">HHH", 0, len(entries) + 2, len(entries)) + entries
    body = hello[:at] + struct.pack(">H", len(extensions) + len(added)) + added + extensions
    handshake = b"\x01" + struct.pack(">I", len(body))[1:] + body
    return record[:3] + struct.pack(">H", len(handshake)) + handshake


# ---- stock clients

def run_as(uid, argv, env=None, **more):
    clean = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", **(env or {})}
    more.setdefault("timeout", 120)
    more.setdefault("capture_output", True)
    return subprocess.run(argv, user=uid, group=uid, extra_groups=[], env=clean, cwd="/", **more)


def curl(proxy, bundle, *arguments, uid=WORKLOAD_UID, **more):
    env = {"https_proxy": proxy, "http_proxy": proxy, "SSL_CERT_FILE": bundle, "no_proxy": ""}
    return run_as(uid, ["curl", "-sS", "--max-time", "60", *arguments], env, **more)
