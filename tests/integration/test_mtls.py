"""Client certificates towards services, by three witnesses: the service is shown the one of the rule's credential, on that
credential's connections and on no others; it is rotated under load, and no request is lost."""

import glob
import json
import os
import ssl
import subprocess
import threading

from client_certs import Clients, Kept, asking, shown
from control import ask, holdfast
from h2_origin import H2Origin
from holdfast import (ADDRESSES, CREDENTIAL, Holdfast, PUBLIC, PUBLIC2, Sidecar, by_size, curl, hosts, main, own_network, promise,
                      rows)
from ops import Page
from patience import until

own_network(ADDRESSES)
H2_PORT, STOCK_PORT = 8443, 8444
OPS = ', { kind = "ops"; listen = "127.0.0.1:0"; }'
TLS12 = ssl.TLSVersion.TLSv1_2
VERSIONS = [("tls-1-2", TLS12), ("tls-1-3", None)]


def answer_quietly(connection, request):
    """A service that notes by whom it was asked; it hangs up where the path says so."""
    connection.read_body(request)
    request.shown, request.resumed = shown(connection.sock), connection.sock.session_reused
    ends = "close" in request.target
    connection.reply(200, b"served", [("Connection", "close")] if ends else [])
    return ends


def answer_h2(stream):
    stream.shown = shown(stream.peer.sock)
    stream.answer()
    stream.reply(200, b"served", [("content-length", "6")])


class Scene(Sidecar):
    """At allowed.test and two.test (HTTP/2): /shop/** is bound by the certificate `shop`, /books/** by `books`, /plain/** by
    nothing, and /signed/** is signed."""

    def __init__(self):
        super().__init__(answer=answer_quietly)
        self.clients, self.strangers = Clients(self.ws), Clients(self.ws, "strangers-ca")
        self.leaf = self.ws.leaf("allowed.test", "two.test", "stock.test")
        self.kept = {name: Kept(self.ws, name, self.clients.make(f"{name}.client")) for name in ("shop", "books")}
        self.ask(self.clients)
        self.h2 = H2Origin(PUBLIC2, H2_PORT, self.leaf, answer=answer_h2)
        self.h2._context = asking(self.leaf, self.clients, alpn="h2")

    def ask(self, clients, **more):
        self.origin._context = asking(self.leaf, clients, **more)

    def text(self, **changed):
        def bound(host, name, extra=""):
            told = f'credential = "{name}"; bind = ["mtls"]; inject = "always"; {extra}'
            return self.rule(host, paths=f'["/{name}/**"]', more=told)
        rules = [rule for host, extra in (("allowed.test", ""), ("two.test", f"port = {H2_PORT};"),
                                          ("stock.test", f"port = {STOCK_PORT};"))
                 for rule in (bound(host, "shop", extra), bound(host, "books", extra),
                              self.rule(host, paths='["/plain/**"]', more=extra),
                              self.rule(host, paths='["/signed/**"]',
                                        more=f'credential = "orders"; bind = ["wimse"]; inject = "always"; {extra}'))]
        credentials = CREDENTIAL.replace("credentials = {", "credentials = {" + "".join(
            k.credential(n) for n, k in self.kept.items()))
        told = {"rules": ", ".join(rules), "credentials": credentials,
                "names": hosts(allowed_test=PUBLIC, two_test=PUBLIC2, stock_test=PUBLIC2)}
        return self.config(**{**told, **changed})

    def fresh(self, **more):
        """No connection and no session is left from before."""
        assert self.h.reload(self.text(**more))["msg"] == "config reloaded", self.h.tail()
        self.origin.forget()
        self.h2.forget()

    def renew(self, name="shop", clients=None, **more):
        """Another certificate for this credential; told when Holdfast shows it."""
        client = (clients or self.clients).make(f"{name}.client", **more)
        self.kept[name].put(client)
        self.wait_shown(client, name)
        return client

    def wait_shown(self, client, name="shop"):
        """By the service, however it judges it: a connection that asks for nothing else would show what it was shown before."""
        until(lambda: self.shown_now(name) == client.thumbprint, f"the certificate {client.thumbprint}")

    def shown_now(self, name="shop"):
        if self.h.get(f"/{name}/close").status != 200:
            return None
        return self.origin.requests[-1].shown

    def decisions(self, path):
        found = []
        for name in sorted(glob.glob(self.h.run + "/ledger/ledger-*.jsonl")):
            with open(name, encoding="utf-8") as f:
                found += [r for r in map(json.loads, f) if r.get("path") == path]
        return found


s = Scene()
s.fresh()


def asked(path, **more):
    """(the answer, what the service saw or None, the log's line)"""
    mark = s.mark()
    answer = s.h.get(path, **more)
    line = s.h.wait_requests(1, mark[0])[0]
    seen = s.origin.requests[mark[1]:]
    return answer, seen[0] if seen else None, line


def shop():
    return s.kept["shop"].thumbprint()


def owners():
    """The thumbprint by which each path's requests are known."""
    return {"plain": None, **{name: kept.thumbprint() for name, kept in s.kept.items()}}


def of(request):
    return request.target.split("/")[1]


# ---- who is shown what

@rows(VERSIONS)
def the_service_knows_the_credential_by_its_certificate(row):
    s.ask(s.clients, mode=ssl.CERT_REQUIRED, maximum=row[1])
    s.fresh()
    path = f"/shop/{row[0]}"
    answer, seen, line = asked(path)
    assert answer.status == 200 and seen.shown == shop(), (answer.line, seen)
    assert (line["binding"], line["key"], line["reason"]) == ("mtls", shop(), "ok") and "proof" not in line, line
    assert seen.get("authorization") is None
    (record,) = until(lambda: s.decisions(path), "its record")
    assert (record["credential"], record["binding"], record["key"]) == ("shop", "mtls", shop()), record
    assert "unbound_because" not in record and "proof" not in record, record
    s.ask(s.clients)


@promise
def a_rule_without_a_certificate_shows_none_to_the_same_service():
    s.fresh()
    mark, bindings = s.mark(), {"/shop/x": "mtls", "/signed/x": "wimse"}
    with s.h.tls() as c:
        for path, expected in (("/shop/x", shop()), ("/plain/x", None), ("/signed/x", None), ("/shop/x", shop())):
            assert c.request("GET", path, "allowed.test").status == 200
            assert s.origin.requests[-1].shown == expected, path
    for line in s.since(mark, 4)[1]:
        assert line.get("binding") == bindings.get(line["path"]), line
    assert len({id(r.connection) for r in s.origin.requests}) == 3, "each has a connection of its own, kept for its own"


@promise
def a_stock_service_and_a_stock_client():
    """openssl s_server, which demands one, and hangs up without a word when it has answered; and curl."""
    server = subprocess.Popen(["openssl", "s_server", "-accept", f"{PUBLIC2}:{STOCK_PORT}", "-cert", s.leaf.certificate,
                               "-key", s.leaf.key, "-Verify", "2", "-verify_return_error", "-CAfile", s.clients.file, "-www"],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    try:
        for line in server.stdout:
            if line.startswith(b"ACCEPT"):
                break
        done = curl(s.h.proxy, s.h.bundle, "--http1.1", f"https://stock.test:{STOCK_PORT}/shop/x")
        assert b"Client certificate" in done.stdout and b"CN=shop.client" in done.stdout, (done.stdout[-600:], done.stderr)
        done = curl(s.h.proxy, s.h.bundle, f"https://stock.test:{STOCK_PORT}/plain/x")
        assert b"client_certificate_wanted" in done.stdout, (done.stdout, done.stderr)
    finally:
        server.kill()
        server.wait()


# ---- identities never cross

def storm(n, ask_one):
    """n threads at once; what any of them found wrong."""
    wrong = []

    def one(i):
        try:
            ask_one(i)
        except Exception as e:
            wrong.append(repr(e))
    threads = [threading.Thread(target=one, args=(i,)) for i in range(n)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not wrong, wrong[:3]


@rows([("kept", ""), ("resumed", "close")])
def of_two_credentials_on_one_host_none_is_ever_shown_for_the_other(row):
    s.fresh()
    whose = owners()

    def ask_some(i):
        names = ["shop", "books", "plain"]
        with s.h.tls() as c:
            for k in range(by_size(6, 24)):
                name = names[(i + k) % 3]
                assert c.request("GET", f"/{name}/{row[1]}{i}", "allowed.test").status == 200
    storm(8, ask_some)
    for request in s.origin.requests:
        assert request.shown == whose[of(request)], (request.target, request.shown, whose)
    if row[1]:
        found = {of(request) for request in s.origin.requests if request.resumed}
        assert found == {"shop", "books", "plain"}, f"only these were ever resumed: {found}"
    else:
        assert any(len(c.requests) > 1 for c in s.origin.connections)


@promise
def over_http_2_each_credential_has_a_connection_of_its_own():
    s.fresh()
    target = f"two.test:{H2_PORT}"

    def ask_some(i):
        with s.h.tls(target) as c:
            for name in ("shop", "books", "plain", "shop"):
                assert c.request("GET", f"/{name}/{i}", target).status == 200
    storm(6, ask_some)
    for stream in s.h2.requests:
        assert stream.shown == owners()[of(stream)], stream.target
    mark = s.h.mark()
    s.h.get("/shop/line", target)
    (line,) = s.h.wait_requests(1, mark)
    assert (line["up_http"], line["binding"], line["key"]) == ("2", "mtls", shop()), line


# ---- what a service makes of it

@rows(VERSIONS)
def a_certificate_that_the_service_refuses_is_told_as_that(row):
    s.ask(s.strangers, mode=ssl.CERT_REQUIRED, maximum=row[1])
    s.fresh()
    for path, method, body in (("/shop/x", "GET", None), ("/shop/x", "POST", b"what is sent")):
        answer, seen, line = asked(path, method=method, body=body)
        assert (answer.status, answer.reason) == (502, "client_certificate_refused"), (answer.line, answer.body)
        assert seen is None and line["reason"] == "client_certificate_refused", line
    s.ask(s.clients)


@rows(VERSIONS)
def a_service_that_wants_one_where_the_rule_has_none_is_told_as_that(row):
    s.ask(s.clients, mode=ssl.CERT_REQUIRED, maximum=row[1])
    s.fresh()
    for path in ("/plain/x", "/signed/x"):
        answer, seen, line = asked(path)
        assert (answer.status, answer.reason) == (502, "client_certificate_wanted"), (answer.line, answer.body)
        assert seen is None and line["reason"] == "client_certificate_wanted", line
    s.ask(s.clients)


@rows(VERSIONS)
def nothing_is_said_to_a_service_that_does_not_ask(row):
    """It would take the request for anybody's, and log and ledger would call it bound."""
    s.ask(None, maximum=row[1])
    s.fresh()
    for _ in range(2):      # the second finds neither a connection nor a session
        answer, seen, line = asked("/shop/x", method="POST", body=b"what is sent")
        assert (answer.status, answer.reason) == (502, "client_certificate_unasked"), (answer.line, answer.body)
        assert seen is None and line["reason"] == "client_certificate_unasked", line
    answer, seen, _ = asked("/plain/x")
    assert answer.status == 200 and not seen.resumed
    s.ask(s.clients)


@promise
def over_http_2_a_refusal_is_told_as_that_too():
    target, before = f"two.test:{H2_PORT}", s.h2._context
    for clients, mode, path, reason in ((s.strangers, ssl.CERT_REQUIRED, "/shop/x", "client_certificate_refused"),
                                        (s.clients, ssl.CERT_REQUIRED, "/plain/x", "client_certificate_wanted"),
                                        (None, None, "/shop/x", "client_certificate_unasked")):
        s.h2._context = asking(s.leaf, clients, mode, alpn="h2")
        s.fresh()
        storm(4, lambda _, path=path, reason=reason: check(s.h.get(path, target), reason))
        assert not s.h2.requests
    s.h2._context = before


def check(answer, reason):
    assert (answer.status, answer.reason) == (502, reason), (answer.line, answer.body)


# ---- files

def spoil(change):
    """Changes a file of `shop`; told when Holdfast has seen it."""
    change(s.kept["shop"])
    return until(lambda: (a := s.h.get("/shop/x")).status != 200 and a, "a refusal")


SPOILT = [
    ("key-gone", lambda k: os.remove(k.key)),
    ("certificate-gone", lambda k: os.remove(k.certificate)),
    ("key-others-may-read", lambda k: os.chmod(k.key, 0o644)),
]


@rows(SPOILT)
def what_is_taken_away_is_not_shown_from_then_on(row):
    s.fresh()
    assert s.h.get("/shop/x").status == 200
    since = s.h.index()
    answer = spoil(row[1])
    assert (answer.status, answer.reason) == (503, "credential_unavailable"), (answer.line, answer.body)
    line = s.h.wait_line(lambda li: "credentials.shop" in li.get("msg", ""), since)
    assert s.kept["shop"].folder in line["msg"] and "PRIVATE KEY" not in line["msg"], line
    assert s.h.get("/books/x").status == 200 and s.h.get("/plain/x").status == 200
    s.kept["shop"].put(s.clients.make("shop.client"))
    until(lambda: s.h.get("/shop/x").status == 200, "it to be back")


@promise
def one_that_has_expired_is_shown_to_nobody():
    s.fresh()
    s.kept["shop"].put(s.clients.make("shop.client", not_before=-3, not_after=-1))
    answer = until(lambda: (a := s.h.get("/shop/x")).status != 200 and a, "a refusal")
    assert (answer.status, answer.reason) == (503, "client_certificate_expired"), (answer.line, answer.body)
    s.origin.forget()
    assert s.h.get("/shop/x").status == 503 and not s.origin.connections
    s.kept["shop"].put(s.clients.make("shop.client"))
    until(lambda: s.h.get("/shop/x").status == 200, "it to be back")


@promise
def two_files_that_do_not_belong_together_start_nothing_and_are_told():
    """Without a pair before them to go on with."""
    s.kept["odd"] = Kept(s.ws, "odd", s.clients.make("odd.client"))
    Kept.put_file(s.kept["odd"].key, s.clients.make("odd.client").key, 0o440)
    since = s.h.index()
    s.fresh()
    s.h.wait_line(lambda li: "credentials.odd" in li.get("msg", "") and "not the certificate's" in li["msg"], since)
    del s.kept["odd"]
    s.fresh()


@promise
def how_long_it_is_valid_is_told_before_and_after():
    kept = Kept(s.ws, "told", s.clients.make("told.client", not_after=2))
    more = s.text(credentials="credentials = {" + kept.credential("told") + "};", doors=OPS,
                  rules=s.rule(more='credential = "told"; bind = ["mtls"]; inject = "always";'))
    h = Holdfast(s.ws, lambda h: more(h) + f'control = {{ socket = "{h.run}/control.sock"; }};\n', name="told")
    socket = h.run + "/control.sock"
    until(lambda: "expires_in_s" in ask(socket, "status")["credentials"][0], "its files to be read")
    (told,) = ask(socket, "status")["credentials"]
    assert 2 * 86400 - 3600 < told["expires_in_s"] <= 2 * 86400 and told["state"] == "readable", told
    assert ", expires in " in holdfast("status", "-c", h.config_path).stdout
    left = Page(h).get("holdfast_credential_expires_seconds", credential="told")
    assert told["expires_in_s"] - 3600 < left <= told["expires_in_s"], left
    kept.put(s.clients.make("told.client", not_before=-3, not_after=-1))
    until(lambda: Page(h).get("holdfast_credential_expires_seconds", credential="told") == 0, "the expired one")
    assert ", expired" in holdfast("status", "-c", h.config_path).stdout
    done = holdfast("check", "--lint", "-c", h.config_path, env={**os.environ, "ASAN_OPTIONS": "detect_leaks=0"})
    assert done.returncode == 1 and f"{kept.certificate} has expired" in done.stdout, done
    h.stop()


# ---- rotation under load

WAYS = [("renamed", Kept.put), ("overwritten", Kept.overwrite), ("swapped", Kept.swap)]


@rows([(f"{way}-{host}", change, host) for way, change in WAYS for host in ("allowed.test:443", f"two.test:{H2_PORT}")])
def a_rotation_under_load_loses_no_request(row):
    _, change, target = row
    s.fresh()
    service = s.origin if target.startswith("allowed") else s.h2
    host = target.removesuffix(":443")
    stop, wrong, served = threading.Event(), [], []

    def ask_on(i):
        try:
            while not stop.is_set():
                with s.h.tls(target) as c:
                    for k in range(4):
                        answer = c.request("GET", f"/shop/{i}-{k}" + ("-close" if k == 3 else ""), host)
                        assert answer.status == 200, (answer.line, answer.body)
                        served.append(answer.status)
        except Exception as e:
            wrong.append(repr(e))
    threads = [threading.Thread(target=ask_on, args=(i,)) for i in range(4)]
    for t in threads:
        t.start()
    for _ in range(by_size(2, 6)):
        client = s.clients.make("shop.client")
        change(s.kept["shop"], client)
        until(lambda client=client: wrong or any(r.shown == client.thumbprint for r in list(service.requests)
                                                 if hasattr(r, "shown")), "the new one to be shown")
        until(lambda n=len(served): wrong or len(served) > n + 8, "more of them")
    stop.set()
    for t in threads:
        t.join()
    assert not wrong, wrong[:3]
    s.h.get("/shop/last", target)
    assert service.requests[-1].shown == client.thumbprint


@promise
def what_is_running_ends_on_the_certificate_it_began_with():
    s.fresh()
    before = shop()
    go = threading.Event()

    def slowly(connection, request):
        request.shown = shown(connection.sock)
        connection.read_body(request)
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nhalf")
        assert go.wait(120)
        connection.send(b"half")
    s.origin.answer = slowly
    with s.h.tls() as c:
        c.send_request("GET", "/shop/slow", "allowed.test")
        s.origin.wait_requests(1)
        s.origin.answer = answer_quietly
        client = s.renew()
        go.set()
        answer = c.read_answer()
        assert answer.status == 200 and answer.body == b"halfhalf", answer.body
        assert s.origin.requests[0].shown == before != client.thumbprint
        assert c.request("GET", "/shop/next", "allowed.test").status == 200
        assert s.origin.requests[-1].shown == client.thumbprint, "the kept connection of the old one was used again"


main(s.end)
