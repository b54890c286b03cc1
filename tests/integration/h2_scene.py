"""A service that speaks HTTP/1.1 (one.test) and one that speaks HTTP/2 (two.test), Holdfast before them, and clients of either
kind. The path says what is answered; both services read it alike."""

import hashlib
import json
import os
from urllib.parse import parse_qsl

import h2_frames as h2
import jose
from h2_origin import H2Origin, tunnel
from holdfast import METADATA, PUBLIC, PUBLIC2, CREDENTIAL, Holdfast, Origin, Workspace, forward_config, grant, hosts

SERVICES = {"h1": "one.test", "h2": "two.test"}
PATHS = [("h1-h1", "h1", "h1"), ("h1-h2", "h1", "h2"), ("h2-h1", "h2", "h1"), ("h2-h2", "h2", "h2")]
WIT, WPT = "workload-identity-token", "workload-proof-token"


def pattern(n):
    return (b"0123456789abcdef" * (n // 16 + 1))[:n]


class Plan:
    """What a path asks for: /…?status=200&bytes=0&length=1&early=103&trailers=1"""

    def __init__(self, target):
        words = dict(parse_qsl(target.partition("?")[2]))
        self.status = int(words.get("status", 200))
        self.bytes = int(words.get("bytes", -1))
        self.length = words.get("length", "1") == "1"
        self.early = int(words.get("early", 0))
        self.trailers = [("x-closing", "said at the end")] if words.get("trailers") else None
        self.told = words.get("told")       # a length without a body: of HEAD, 304

    def body(self, request):
        if self.bytes >= 0:
            return pattern(self.bytes)
        return json.dumps({"method": request.method, "target": request.target, "fields": request.fields,
                           "body_bytes": request.body_bytes, "body_sha256": request.body_sha256}).encode()

    def fields(self, request):
        fields = [("x-answer", "one"), ("x-answer", "two"), ("set-cookie", "a=1"), ("set-cookie", "b=2")]
        if request.method == "HEAD" or self.status in (204, 304):
            return fields + ([("content-length", self.told)] if self.told else []), b""
        body = self.body(request)
        return fields + ([("content-length", str(len(body)))] if self.length and not self.trailers else []), body


def answer_h1(connection, request):
    plan = Plan(request.target)
    if (request.get("expect") or "").lower() == "100-continue":
        connection.send(b"HTTP/1.1 100 Continue\r\n\r\n")
    connection.read_body(request)
    if plan.early:
        connection.send(f"HTTP/1.1 {plan.early} Early\r\nLink: </style.css>; rel=preload\r\n\r\n".encode())
    fields, body = plan.fields(request)
    chunked = body and not any(n == "content-length" for n, _ in fields)
    head = f"HTTP/1.1 {plan.status} Whatever\r\n" + "".join(f"{n}: {v}\r\n" for n, v in fields)
    if chunked:
        head += "Transfer-Encoding: chunked\r\n"
    elif not body and not plan.told and request.method != "HEAD" and plan.status not in (204, 304):
        head += "Content-Length: 0\r\n" if "content-length" not in head else ""
    connection.send(head.encode() + b"\r\n")
    if chunked:
        for i in range(0, len(body), 65536):
            piece = body[i:i + 65536]
            connection.send(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
        connection.send(b"0\r\n" + "".join(f"{n}: {v}\r\n" for n, v in plan.trailers or ()).encode() + b"\r\n")
    else:
        connection.send(body)


def answer_h2(stream):
    plan = Plan(stream.target)
    if (stream.get("expect") or "").lower() == "100-continue":
        stream.head([(":status", "100")])
    stream.answer()
    if plan.early:
        stream.head([(":status", str(plan.early)), ("link", "</style.css>; rel=preload")])
    fields, body = plan.fields(stream)
    stream.reply(plan.status, body, fields, plan.trailers)


class Told:
    """What a client saw of one exchange, whichever HTTP carried it."""

    def __init__(self, status, fields, body, interim, trailers, reason):
        self.status, self.fields, self.interim, self.trailers, self.reason = status, fields, interim, trailers, reason
        self.body, self.bytes, self.sha256 = body, len(body), hashlib.sha256(body).hexdigest()

    def get(self, name):
        return next((v for n, v in self.fields if n == name), None)

    def all(self, name):
        return [v for n, v in self.fields if n == name]


class Asking:
    """One request of either kind of client."""

    def __init__(self, h, kind, host):
        self.h, self.kind, self.host = h, kind, host

    def __call__(self, method="GET", path="/", fields=(), body=None, unknown=False, trailers=None, expect=False):
        ask = self._h1 if self.kind == "h1" else self._h2
        return ask(method, path, list(fields), body, unknown, trailers, expect)

    def _h1(self, method, path, fields, body, unknown, trailers, expect):
        with self.h.tls(f"{self.host}:443") as c:
            c.sock.settimeout(300)
            chunked = body is not None and (unknown or trailers)
            if chunked:
                fields += [("Transfer-Encoding", "chunked")]
            elif body is not None:
                fields += [("Content-Length", str(len(body)))]
            fields += [("Expect", "100-continue")] if expect else []
            fields += [("TE", "trailers"), ("Connection", "TE")]
            c.send_request(method, path, self.host, fields)
            interim = []
            if expect:
                interim.append(c.read_head().status)
                assert interim == [100], interim
            if chunked:
                for i in range(0, len(body), 65536):
                    piece = body[i:i + 65536]
                    c.send(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
                c.send("0\r\n" + "".join(f"{n}: {v}\r\n" for n, v in trailers or ()) + "\r\n")
            elif body:
                c.send(body)
            a = c.read_answer(method)
            told = [tuple(p.strip() for p in t.split(":", 1)) for t in a.trailers]
            return Told(a.status, a.fields, bytes(a.body), interim + [i.status for i in a.interim],
                        [(n.lower(), v) for n, v in told], a.reason)

    def _h2(self, method, path, fields, body, unknown, trailers, expect):
        with tunnel(self.h, f"{self.host}:443", keep=1 << 26) as p:
            if body is not None and not unknown and not trailers:
                fields += [("content-length", str(len(body)))]
            fields = [(n.lower(), v) for n, v in fields] + ([("expect", "100-continue")] if expect else []) + [("te", "trailers")]
            stream = p.open(h2.request_fields(method, path, self.host, "https", fields), end=body is None and trailers is None)
            if expect:
                stream.wait(lambda s: s.interim or s.fields, "100 or an answer")
            if body is not None:
                stream.data(body, end=trailers is None)
            if trailers is not None:
                stream.head(trailers, end=True)
            s = stream.answer()
            return Told(s.status, s.fields[1:], s.body, [int(dict(i)[":status"]) for i in s.interim], s.trailers, s.reason)


class Scene:
    """Every request of /signed/** is signed for; of the others nothing is."""

    def __init__(self, limits="", more="", name="sidecar", binary=None, also="", doors="", workers=2, argv_before=()):
        self.ws = Workspace()
        self.one = Origin(PUBLIC, 443, self.ws.leaf("one.test"), answer=answer_h1)
        self.two = H2Origin(PUBLIC2, 443, self.ws.leaf("two.test"), answer=answer_h2)
        self.denied = Origin(METADATA, 443)
        self.services = {"h1": self.one, "h2": self.two}
        self.also, self.limits, self.more, self.doors, self.workers = also, limits, more, doors, workers
        self.h = Holdfast(self.ws, self.config(), name=name, binary=binary, argv_before=argv_before)

    def rules(self):
        def rule(host, paths, more=""):
            return (f'{{ host = "{host}"; methods = "any"; paths = {paths}; upstream_trust = "{self.ws.ca.file}"; {more} }}')
        signed = 'credential = "orders"; bind = ["wimse"]; inject = "always";'
        kinds = [('["/signed/**"]', signed), ('["/", "/plain/**"]', ""), ('["/cookies/**"]', 'cookies = "pass";')]
        return ", ".join(rule(host, *kind) for host in SERVICES.values() for kind in kinds)

    def config(self, **changed):
        told = {"rules": self.rules() + self.also, "names": hosts(one_test=PUBLIC, two_test=PUBLIC2, denied_test=METADATA),
                "limits": self.limits, "more": self.more, "doors": self.doors, "workers": self.workers, **changed}
        return lambda h: forward_config(**told)(h) + f'control = {{ socket = "{h.run}/control.sock"; }};\n'

    def asking(self, client, service):
        return Asking(self.h, client, SERVICES[service])

    def records(self):
        """The ledger's, of requests."""
        found = []
        folder = os.path.join(self.h.run, "ledger")
        for name in sorted(n for n in os.listdir(folder) if n.startswith("ledger-")):
            with open(os.path.join(folder, name), "rb") as f:
                found += [json.loads(line) for line in f if line.endswith(b"\n")]
        return found

    def proof(self, request, method, url):
        """The claims of a request's proof, once our authority and its key say they are theirs."""
        wit, wpt = request.get(WIT), request.get(WPT)
        assert wit and wpt, request.fields
        with open(self.h.jwks, encoding="ascii") as f:
            (authority,) = json.load(f)["keys"]
        assert jose.verify(wit, authority), "the token is not our authority's"
        told = jose.parts(wit)[1]
        assert jose.verify(wpt, told["cnf"]["jwk"]), "the proof is not of the token's key"
        claims = jose.parts(wpt)[1]
        target, _, query = url.partition("?")
        assert claims["aud"] == target and claims["wth"] == jose.digest(wit), claims
        assert claims[jose.REQUEST]["method"] == method and claims[jose.REQUEST].get("query") == \
            (jose.digest(query) if "?" in url else None), claims
        return claims

    def end(self):
        self.h.stop()
        assert not self.denied.connections, "a service that no rule names was connected to"
        self.ws.remove()


__all__ = ["Asking", "CREDENTIAL", "PATHS", "Plan", "SERVICES", "Scene", "Told", "WIT", "WPT", "grant", "pattern"]
