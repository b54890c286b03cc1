"""A gate that has to ask: issuers' keys by URL, and issuers' words on tokens (introspection). What is known is not asked again, what
many want is asked once, and an issuer that misbehaves lets nobody in."""

import base64
import json
import os
import ssl
import threading
import time
import urllib.parse

import access
import jose
from access import rule, shown
from holdfast import (ADDRESSES, METADATA, OTHER_UID, PRIVATE, PROXY_UID, PUBLIC, Channel, Holdfast, Origin, Workspace, connect, hosts,
                      main, own_network, promise, rows)
from patience import until

own_network(ADDRESSES)
ws = Workspace()
ws.directory("secrets")
service = Origin("127.0.0.1", 0)
holder, thief = jose.Key(), jose.Key()
URL = "https://orders.test/v1/orders/7"
leaf, as_leaf = access.leaf_for(ws, "orders.test"), ws.leaf("as.test")
numbers = iter(range(1000))
SECRET = "s3cr+t/ of:the gate%"


class Idp:
    """An issuer at as.test: /jwks and /introspect, as `keys` and `words` say; `act` may answer in their place."""

    def __init__(self):
        self.keys = access.Issuer()
        self.asked, self.words, self.faults = [], {}, []
        self.act, self.cache_control = None, None
        self.at_once = self.most = 0
        self.lock = threading.Condition()
        self.origin = Origin(PRIVATE, 443, as_leaf, answer=self._serve)

    def _serve(self, connection, request):
        connection.read_body(request)
        with self.lock:
            self.asked.append(request)
            self.lock.notify_all()
        if self.act is not None:
            self.act(connection)
        elif request.target == "/jwks":
            more = [("Cache-Control", self.cache_control)] if self.cache_control else []
            connection.reply(200, json.dumps(self.keys.jwks), [("Content-Type", "application/jwk-set+json"), *more])
        else:
            self._introspect(connection, request)
        return False

    def _introspect(self, connection, request):
        form = urllib.parse.parse_qs(request.body.decode(), strict_parsing=True)
        pair = base64.b64decode(request.get("authorization").removeprefix("Basic ")).decode().split(":", 1)
        if [urllib.parse.unquote_plus(p) for p in pair] != ["gate:1", SECRET] or request.method != "POST":
            self.faults.append((request.method, pair))
        (token,) = form["token"]
        connection.reply(200, json.dumps(self.words.get(token, {"active": False})), [("Content-Type", "application/json")])

    def word(self, **changes):
        """A token that is no JWT, of which this is said."""
        token = "op-" + jose.b64(os.urandom(18))
        self.words[token] = {"active": True, **self.keys.claims(holder, **changes)}
        return token

    def wait_asked(self, n):
        with self.lock:
            assert self.lock.wait_for(lambda: len(self.asked) >= n, 120), f"asked {len(self.asked)} times"


def idp():
    """The same place, as new."""
    global standing
    if standing is not None:
        standing.origin.stop()
    standing = Idp()
    return standing


standing = None


def issuer(way, name="https://as.test", more=""):
    return f'{{ issuer = "{name}"; audience = "{access.AUDIENCE}"; trust = "{ws.ca.file}"; {way} {more} }}'


BY_URL = 'jwks_url = "https://as.test/jwks";'


def asking(cache="5m", secret=None, at="introspect"):
    path = secret or ws.file("secrets/introspect", SECRET, mode=0o400, owner=PROXY_UID)
    return (f'introspection = {{ url = "https://as.test/{at}"; client_id = "gate:1"; client_secret = "{path}"; '
            f'cache = "{cache}"; }};')


def config(*issuers, at=PRIVATE):
    return (f'user = "{PROXY_UID}"; workers = 2; {hosts(as_test=at)} '
            f'doors = ( {access.door(leaf, PUBLIC + ":443", service, ", ".join(issuers), rule())} );')


def start(*issuers, **more):
    service.forget()
    return Holdfast(ws, config(*issuers, **more), name=f"g{next(numbers)}")


def ask(gate, token, key=holder):
    with Channel(connect(*gate.door("gate"), uid=OTHER_UID)) as c:
        c.start_tls(ssl.create_default_context(cafile=ws.ca.file), "orders.test")
        return c.request("GET", "/v1/orders/7", "orders.test", shown(key, token, URL))


def ask_many(gate, tokens):
    answers = [None] * len(tokens)

    def one(i):
        answers[i] = ask(gate, tokens[i])
    threads = [threading.Thread(target=one, args=(i,)) for i in range(len(tokens))]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    return answers


def refused(gate, token, reason, status, key=holder):
    seen = len(service.requests)
    answer = ask(gate, token, key)
    assert (answer.reason, answer.status) == (reason, status), (answer.line, answer.body)
    assert (answer.get("www-authenticate") is not None) == (status == 401), answer.fields
    assert len(service.requests) == seen, "the service was asked"


def stop(gate, *tokens):
    gate.stop()
    log = json.dumps(gate.lines)
    assert SECRET not in log and not any(t in log for t in tokens), "a secret in the log"


# ---- keys by URL

@promise
def the_keys_are_fetched_once_for_all_who_want_them():
    server = idp()
    gate = start(issuer(BY_URL))
    assert not server.asked, "nobody had asked"
    tokens = [server.keys.token(holder) for _ in range(12)]
    assert [a.status for a in ask_many(gate, tokens)] == [200] * 12
    assert [r.target for r in server.asked] == ["/jwks"], server.asked
    assert gate.reload()["msg"] == "config reloaded"
    assert ask(gate, server.keys.token(holder)).status == 200
    assert len(server.asked) == 1, "they outlive a reload"
    refused(gate, access.Issuer().token(holder), "token_signature", 401)
    assert len(server.asked) == 1, "a wrong signature is no reason to ask"
    stop(gate, *tokens)


@promise
def a_new_key_is_found_and_strangers_cannot_make_it_ask_on_and_on():
    server, began = idp(), time.monotonic()
    gate = start(issuer(BY_URL))
    assert ask(gate, server.keys.token(holder)).status == 200
    before, server.keys = server.keys, access.Issuer(kid="as-2")
    until(lambda: ask(gate, server.keys.token(holder)).status == 200, "the new key", 600)
    n = len(server.asked)
    for i in range(20):
        refused(gate, server.keys.token(holder, header={"kid": f"no-{i}"}), "token_key_unknown", 401)
    assert 2 <= n and len(server.asked) <= 2 + (time.monotonic() - began) / 10, len(server.asked)
    refused(gate, before.token(holder), "token_key_unknown", 401)
    stop(gate)


# ---- what an issuer says of a token

@promise
def a_word_on_a_token_is_asked_for_and_holds_for_a_while():
    server = idp()
    gate = start(issuer(asking()))
    token = server.word(sub="agent-7", client_id="c-9", scope="a b")
    mark = gate.mark()
    assert [a.status for a in ask_many(gate, [token] * 8)] == [200] * 8
    assert len(server.asked) == 1 and not server.faults, (server.asked, server.faults)
    told = {n.lower(): v for n, v in service.requests[0].fields if n.lower().startswith("x-holdfast-")}
    assert (told["x-holdfast-subject"], told["x-holdfast-client"], told["x-holdfast-scope"]) == ("agent-7", "c-9", "a b"), told
    line = gate.wait_requests(1, mark)[0]
    assert (line["who"], line["client"], line["binding"], line["issuer"]) == ("agent-7", "c-9", "dpop", "https://as.test"), line
    refused(gate, token, "proof_key", 401, key=thief)
    refused(gate, "never-issued", "token_inactive", 401)
    refused(gate, "never-issued", "token_inactive", 401)
    assert len(server.asked) == 2, "no is an answer, too"
    stop(gate, token, "never-issued")


@promise
def what_the_word_says_is_judged_like_a_token():
    server = idp()
    gate = start(issuer(asking()))
    for changes, reason in (({"exp": 1700000000}, "token_expired"), ({"aud": "https://other.test"}, "token_audience"),
                            ({"iss": "https://evil.test"}, "token_untrusted"), ({"cnf": None}, "token_bearer"),
                            ({"cnf": {"jkt": thief.thumbprint}}, "proof_key")):
        refused(gate, server.word(**changes), reason, 401)
    refused(gate, server.word(sub="wimse://prod.example/a"), "token_subject", 403)
    assert ask(gate, server.word(exp=None)).status == 200, "an end need not be told"
    refused(gate, server.word(exp="later"), "as_malformed", 502)
    stop(gate)


@promise
def without_a_cache_a_revoked_token_is_refused_at_once():
    server = idp()
    gate = start(issuer(asking(cache="0s")))
    token = server.word()
    assert [ask(gate, token).status for _ in range(3)] == [200] * 3
    assert len(server.asked) == 3
    server.words[token] = {"active": False}
    refused(gate, token, "token_inactive", 401)
    stop(gate, token)


@promise
def who_asks_is_proved_by_what_the_file_holds_now():
    server = idp()
    path = os.path.join(ws.path, "secrets/later")
    gate = start(issuer(asking(secret=path)))
    token = server.word()
    refused(gate, token, "credential_unavailable", 503)
    assert not server.asked
    ws.file("secrets/later.new", SECRET, mode=0o400, owner=PROXY_UID)
    os.rename(path + ".new", path)
    until(lambda: ask(gate, token).status == 200)
    assert not server.faults, server.faults
    stop(gate, token)


@promise
def of_several_issuers_the_right_one_is_asked():
    server = idp()
    gate = start(issuer(asking()), issuer(BY_URL, "https://other.test"))
    other = access.Issuer("https://other.test")
    other.key = server.keys.key
    assert ask(gate, other.token(holder)).status == 200
    token = server.word()
    assert ask(gate, token).status == 200
    assert [r.target for r in server.asked] == ["/jwks", "/introspect"], server.asked
    refused(gate, access.Issuer("https://third.test").token(holder), "token_untrusted", 401)
    assert len(server.asked) == 2
    stop(gate, token)


# ---- issuers that misbehave

def reply(status, body, kind="application/json", **fields):
    return lambda c: c.reply(status, body, [("Content-Type", kind), *((n.replace("_", "-"), v) for n, v in fields.items())])


SLOW = threading.Event()
BAD = [
    ("garbage", reply(200, b"\x00\xff{{{"), "as_malformed", 502),
    ("a page", reply(200, "<html>sign in</html>", "text/html"), "as_malformed", 502),
    ("another value", reply(200, "[]"), "as_malformed", 502),
    ("nothing in it", reply(200, "{}"), "as_malformed", 502),
    ("no keys, no verdict", reply(200, '{"keys":[],"active":"yes"}'), "as_malformed", 502),
    ("symmetric keys", reply(200, '{"keys":[{"kty":"oct","k":"c2VjcmV0","kid":"as-1"}],"active":1}'), "as_malformed", 502),
    ("too much", reply(200, '{"active":true,"keys":[],"more":"' + "x" * 200000 + '"}'), "as_malformed", 502),
    ("an error", reply(500, '{"active":true}'), "as_malformed", 502),
    ("a no", reply(401, '{"error":"invalid_client"}'), "as_malformed", 502),
    ("another place", reply(302, '{"active":true}', Location="https://as.test/jwks2"), "as_malformed", 502),
    ("no HTTP", lambda c: c.send(b"hello\r\n\r\n"), "as_malformed", 502),
    ("the end", lambda c: c.close(), "as_unreachable", 503),
    ("silence", lambda c: SLOW.wait(20), "as_timeout", 504),
]


@rows([(f"{name}, {way}", way, act, reason, status) for name, act, reason, status in BAD for way in ("keys", "words")])
def an_issuer_that_misbehaves_lets_nobody_in(row):
    _, way, act, reason, status = row
    server = idp()
    server.act = act
    gate = start(issuer(BY_URL if way == "keys" else asking()))
    token = server.keys.token(holder) if way == "keys" else server.word()
    answer = ask(gate, token)
    assert (answer.reason, answer.status) == (reason, status), (answer.line, answer.body)
    assert not service.requests and answer.get("www-authenticate") is None
    assert {r.target for r in server.asked} <= {"/jwks", "/introspect"}, "it was followed elsewhere"
    server.act = None
    until(lambda: ask(gate, token).status == 200)
    stop(gate, token)


@rows([("nobody there", PUBLIC, "as_unreachable"), ("a metadata service", METADATA, "as_unreachable")])
def an_issuer_that_cannot_be_reached_lets_nobody_in(row):
    gate = start(issuer(BY_URL.replace("as.test", "as.test:444")), at=row[1])
    refused(gate, idp().keys.token(holder), row[2], 503)
    stop(gate)


@promise
def another_certificate_is_not_the_issuers():
    server = idp()
    server.origin.stop()
    server.origin = Origin(PRIVATE, 443, ws.leaf("other.test"), answer=server._serve)
    gate = start(issuer(BY_URL))
    refused(gate, server.keys.token(holder), "as_unreachable", 503)
    assert not server.asked
    stop(gate)


# ---- while one waits

@promise
def a_reload_and_a_client_that_leaves_disturb_nobody_who_waits():
    server, go = idp(), threading.Event()

    def held(connection):
        assert go.wait(120)
        reply(200, json.dumps(server.keys.jwks))(connection)
    server.act = held
    gate = start(issuer(BY_URL))
    left = Channel(connect(*gate.door("gate"), uid=OTHER_UID))
    left.start_tls(ssl.create_default_context(cafile=ws.ca.file), "orders.test")
    told = shown(holder, server.keys.token(holder), URL)
    left.send_request("GET", "/v1/orders/7", "orders.test", told)
    server.wait_asked(1)
    left.close()
    gate.reload()
    go.set()
    server.act = None
    until(lambda: ask(gate, server.keys.token(holder)).status == 200)
    stop(gate)


@promise
def a_flood_of_tokens_for_one_issuer_keeps_no_other_waiting():
    server, go, held = idp(), threading.Event(), []

    def one_is_silent(connection, request):
        if request.target != "/introspect":
            return server._serve(connection, request)
        held.append(request)
        go.wait(600)
        return True
    server.origin.answer = one_is_silent
    gate = start(issuer(asking()), issuer(BY_URL, "https://keys.test"), issuer(asking(at="words"), "https://words.test"))
    keys, words = access.Issuer("https://keys.test"), access.Issuer("https://words.test")
    keys.key = server.keys.key
    flood = [threading.Thread(target=ask_quietly, args=(gate, server.keys.token(holder))) for _ in range(40)]
    for t in flood:
        t.start()
    until(lambda: len(held) >= 16, "as many of it as are asked at a time")
    assert ask(gate, keys.token(holder)).status == 200
    token = words.token(holder)
    server.words[token] = {"active": True, **words.claims(holder)}
    assert ask(gate, token).status == 200
    assert {r.target for r in server.asked} == {"/jwks", "/words"}, server.asked
    go.set()
    for t in flood:
        t.join()
    stop(gate, token)


@promise
def holdfast_ends_while_it_waits_for_an_issuer():
    server = idp()
    server.act = lambda c: SLOW.wait(20)
    gate = start(issuer(asking()))
    token = server.word()
    waiting = threading.Thread(target=lambda: ask_quietly(gate, token))
    waiting.start()
    server.wait_asked(1)
    gate.stop()
    SLOW.set()
    waiting.join()


def ask_quietly(gate, token):
    try:
        ask(gate, token)
    except (OSError, EOFError, AssertionError):
        pass


main()
