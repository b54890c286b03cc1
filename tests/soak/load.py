"""What a workload does while Holdfast is soaked: every kind of request, right ones and refused ones, and leaving at every step.
Each answer is held against the request that it must belong to."""

import contextlib
import hashlib
import json
import random
import socket
import ssl
import threading

from holdfast import METADATA, WORKLOAD_UID, Channel, Closed, client_hello, connect
from services import pattern, reset

PATIENCE = 60           # seconds in which something must have come: not a measure of speed
GONE = {"client_gone"}
NASTY = {"connect_failed", "upstream_closed", "upstream_tls", "upstream_malformed"}
FLAPPING = {"dns_failed", "dns_timeout", "dns_empty", "address_prohibited"}

# What may become of a request whose path begins with this word, besides being answered.
KINDS = {
    "plain": set(), "signed": set(), "bearer": set(), "clear": set(), "chunked": set(),
    "parting": {"upstream_closed"}, "parting-chunked": {"upstream_closed"},
    "refused": {"host_not_allowed"}, "method": {"method_not_allowed"}, "metadata": {"address_prohibited", "name_prohibited"},
    "malformed": {"transfer_encoding", "length_and_coding", "content_length", "chunk", "host_missing", "names_disagree"},
    "new": {"dns_timeout"}, "nasty": NASTY, "flap": FLAPPING, "leave": GONE, "leave-chunked": GONE, "leave-nasty": GONE | NASTY,
}


class Wrong(AssertionError):
    """An answer that should not be, or none where one is due."""


class Client(threading.Thread):
    """One of many; everything it does follows from its seed."""

    def __init__(self, scene, seed):
        super().__init__(daemon=True)
        self.scene, self.seed = scene, seed
        self.chance = random.Random(seed)
        self.made = 0
        self.answered = {}              # nonce: the status that the client saw
        self.failure = None

    def run(self):
        deeds = [self.keep_alive] * 6 + [self.pipeline] * 2 + [self.clear] * 2 + [self.refusals] * 2 + [self.new_name] * 2
        deeds += [self.nasty] * 4 + [self.flap] * 2 + [self.leave] * 8 + [self.malformed]
        while not self.scene.pause.is_set() and self.failure is None:
            deed = self.chance.choice(deeds)
            try:
                deed()
            except Exception as e:      # whatever it was, it is told with its seed
                self.failure = f"seed {self.seed}, request {self.made}, {deed.__name__}: {type(e).__name__}: {e}"
                self.scene.pause.set()

    # ---- asking and looking at the answer

    def path(self, kind, size=0):
        self.made += 1
        nonce = f"{self.seed}-{self.made}"
        return nonce, f"/{kind}/{nonce}/{size}"

    def size(self):
        return self.chance.choice([0, 1, 500, 5000, 40000, 200000])

    def body(self):
        """(the fields and bytes of a request's body, the body): none, of a told length, or in chunks."""
        form = self.chance.choice(["none", "none", "length", "chunks"])
        if form == "none":
            return b"", b"", b""
        body = self.chance.randbytes(self.size())
        if form == "length":
            return b"Content-Length: %d\r\n" % len(body), body, body
        cut = self.chance.randrange(1, 70000)
        pieces = [body[i:i + cut] for i in range(0, len(body), cut)]
        sent = b"".join(b"%x\r\n%s\r\n" % (len(p), p) for p in pieces) + b"0\r\n\r\n"
        return b"Transfer-Encoding: chunked\r\n", sent, body

    def make(self, kind, host, more=b"", clear=None, size=None, bodies=True):
        """(bytes of a request, what the answer is held against)."""
        nonce, path = self.path(kind, self.size() if size is None else size)
        fields, sent, body = self.body() if bodies else (b"", b"", b"")
        method = "POST" if fields else self.chance.choice(["GET", "GET", "GET", "HEAD", "DELETE"])
        target = f"http://{clear}{path}" if clear else path
        head = f"{method} {target} HTTP/1.1\r\nHost: {host}\r\n".encode() + fields + more + b"\r\n"
        return head + sent, (kind, nonce, method, body, int(path.rpartition("/")[2]))

    def check(self, answer, asked):
        kind, nonce, method, body, size = asked
        reason = None if answer.get("proxy-status") is None else self.reason(answer, method)
        if reason is not None:
            # What a service closed while it waited is tried once more, unless that would do something twice.
            if reason not in KINDS[kind] or ("parting" in kind and method != "POST"):
                raise Wrong(f"{kind}/{nonce} was refused: {answer.line} {reason}")
        elif kind == "nasty":
            if answer.get("x-nonce") != nonce:
                raise Wrong(f"{nonce} got another's answer: {answer.line} {answer.fields}")
        elif method == "HEAD":
            if answer.status != 200 or (answer.get("x-nonce") or nonce) != nonce:
                raise Wrong(f"{nonce}: {answer.line} {answer.fields}")
        else:
            self.check_body(answer, nonce, method, body, size)
        if kind != "malformed":         # whose path the log may not know
            self.answered[nonce] = answer.status

    @staticmethod
    def reason(answer, method):
        return answer.get("proxy-status").split('details="')[1].split('"')[0] if method == "HEAD" else answer.reason

    @staticmethod
    def check_body(answer, nonce, method, body, size):
        told, _, rest = answer.body.partition(b"\n")
        expected = {"nonce": nonce, "method": method, "in": len(body), "sha256": hashlib.sha256(body).hexdigest()}
        if answer.status != 200 or not answer.whole or json.loads(told) != expected or rest != pattern(nonce, size):
            raise Wrong(f"{nonce}: {answer.line}, {len(answer.body)} bytes, {told[:200]}; expected {expected} and {size}")

    def exchange(self, channel, made):
        """True while the connection may carry another."""
        sent, asked = made
        channel.send(sent)
        answer = channel.read_answer(asked[2])
        self.check(answer, asked)
        return (answer.get("connection") or "").lower() != "close"

    # ---- connections

    def open(self):
        sock = connect(*self.scene.sidecar.door(), uid=WORKLOAD_UID, timeout=PATIENCE)
        return Channel(sock)

    def tunnel(self, host):
        channel = self.open()
        channel.send(f"CONNECT {host}:443 HTTP/1.1\r\nHost: {host}:443\r\n\r\n")
        answer = channel.read_answer("CONNECT")
        if answer.status != 200:
            channel.close()
            if answer.reason == "leaf_rate" and host.startswith("denied"):
                return None
            raise Wrong(f"CONNECT {host}: {answer.line} {answer.body}")
        return channel.start_tls(self.scene.trust, host)

    # ---- deeds

    def keep_alive(self):
        host, kinds = self.chance.choice([("allowed.test", ["plain", "chunked"]), ("signed.test", ["signed"]),
                                          ("gated.test", ["signed"]), ("bearer.test", ["bearer"]),
                                          ("parting.test", ["parting", "parting-chunked"])])
        more = b"Authorization: Bearer the-workloads-own\r\n" if self.chance.random() < 0.3 else b""
        with self.tunnel(host) as channel:
            for _ in range(self.chance.randrange(1, 8)):
                if not self.exchange(channel, self.make(self.chance.choice(kinds), host, more)):
                    return
            self.exchange(channel, self.make(kinds[0], host, b"Connection: close\r\n"))
            if not channel.is_closed():
                raise Wrong("it was asked to close, and did not")

    def pipeline(self):
        """Inside TLS all is asked before anything is read; in the clear, where a thread may send while another reads, bodies are
        sent as well."""
        if self.chance.random() < 0.5:
            with self.tunnel("allowed.test") as channel:
                asked = [self.make("plain", "allowed.test", size=5000, bodies=False) for _ in range(6)]
                channel.send(b"".join(sent for sent, _ in asked))
                self.check_all(channel, asked)
            return
        with self.open() as channel:
            asked = [self.make("clear", "clear.test", clear="clear.test") for _ in range(6)]
            sender = threading.Thread(target=self.send_quietly, args=(channel, b"".join(sent for sent, _ in asked)))
            sender.start()
            self.check_all(channel, asked)
            sender.join()

    @staticmethod
    def send_quietly(channel, data):
        """Who reads will find out."""
        with contextlib.suppress(Closed):
            channel.send(data)

    def check_all(self, channel, asked):
        for _, one in asked:
            self.check(channel.read_answer(one[2]), one)

    def clear(self):
        with self.open() as channel:
            for _ in range(self.chance.randrange(1, 5)):
                if not self.exchange(channel, self.make("clear", "clear.test", clear="clear.test")):
                    return

    def refusals(self):
        which = self.chance.randrange(4)
        if which == 0:
            with self.open() as channel:
                self.exchange(channel, self.make("refused", "denied.test", clear="denied.test"))
        elif which == 1:
            channel = self.tunnel(f"denied{self.chance.randrange(50)}.test")
            if channel is not None:
                with channel:
                    self.exchange(channel, self.make("refused", channel.sock.server_hostname))
        elif which == 2:
            with self.tunnel("narrow.test") as channel:
                nonce, path = self.path("method")
                channel.send(f"DELETE {path} HTTP/1.1\r\nHost: narrow.test\r\n\r\n")
                self.check(channel.read_answer(), ("method", nonce, "DELETE", b"", 0))
        else:
            with self.open() as channel:
                self.exchange(channel, self.make("metadata", METADATA, clear=METADATA))

    def new_name(self):
        host = f"n{self.chance.randrange(10000)}.wild.test"
        with self.tunnel(host) as channel:
            self.exchange(channel, self.make("new", host))

    def nasty(self):
        with contextlib.suppress(Closed), self.tunnel("nasty.test") as channel:
            self.exchange(channel, self.make("nasty", "nasty.test"))

    def flap(self):
        with self.tunnel("flap.test") as channel:
            self.exchange(channel, self.make("flap", "flap.test"))

    def malformed(self):
        nonce, path = self.path("malformed")
        head = f"POST {path} HTTP/1.1\r\nHost: allowed.test\r\n"
        wrong = self.chance.choice(["Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n", "Transfer-Encoding: gzip\r\n\r\n",
                                    "Content-Length: 4\r\nContent-Length: 5\r\n\r\n",
                                    "Transfer-Encoding: chunked\r\n\r\nzz\r\n"])
        with self.tunnel("allowed.test") as channel:
            channel.send(head + wrong)
            with contextlib.suppress(Closed):
                self.check(channel.read_answer("POST"), ("malformed", nonce, "POST", b"", 0))
            channel.read_to_end()

    def leave(self):
        """At any step, by a FIN, a RST, or saying that no more comes and reading on."""
        step = self.chance.choice(["connect", "mid-connect", "connected", "mid-hello", "hello", "handshake", "mid-head",
                                   "mid-body", "asked", "mid-answer"])
        with contextlib.suppress(Closed), contextlib.closing(self.open()) as channel:
            self.go_as_far_as(step, channel)
            how = self.chance.choice(["fin", "rst", "half"])
            if how == "rst":
                reset(channel.sock)
            elif how == "half":
                with contextlib.suppress(OSError):
                    socket.socket.shutdown(channel.sock, socket.SHUT_WR)
                channel.read_to_end()

    def go_as_far_as(self, step, channel):
        host = self.chance.choice(["allowed.test", "signed.test", "gated.test", "nasty.test"])
        if step == "connect":
            return
        head = f"CONNECT {host}:443 HTTP/1.1\r\nHost: {host}:443\r\n\r\n"
        if step == "mid-connect":
            channel.send(head[:self.chance.randrange(1, len(head))])
            return
        channel.send(head)
        if step == "connected":
            return
        channel.read_answer("CONNECT")
        if "hello" in step:
            hello = client_hello([host.encode()])
            channel.send(hello if step == "hello" else hello[:self.chance.randrange(1, len(hello))])
            return
        channel.start_tls(self.scene.trust, host)
        if step != "handshake":
            self.ask_in_part(step, channel, host)

    def ask_in_part(self, step, channel, host):
        chunked = "-chunked" if self.chance.random() < 0.5 else ""
        nonce, path = self.path("leave-nasty" if host == "nasty.test" else "leave" + chunked, 400000)
        head = f"POST {path} HTTP/1.1\r\nHost: {host}\r\nContent-Length: 30000\r\n\r\n".encode()
        if step == "mid-head":
            channel.send(head[:self.chance.randrange(1, len(head))])
            return
        channel.send(head + self.chance.randbytes(self.chance.randrange(30000) if step == "mid-body" else 30000))
        if step == "mid-answer":
            channel.read_head()
            channel.receive(self.chance.randrange(1, 100000))


def trust_of(sidecar):
    context = ssl.create_default_context(cafile=sidecar.ca)
    context.set_alpn_protocols(["http/1.1"])
    return context
