"""Access tokens from an authorization server: how they are asked for, and what becomes of requests when it misbehaves."""

import json
import threading

from cryptography.hazmat.primitives import serialization

import jose
from holdfast import ADDRESSES, main, own_network, promise, rows
from patience import until

own_network(ADDRESSES)

from oauth_scene import SECRET, begin, get, line_of, s, says, says_nothing, stop, verb  # noqa: E402


# ---- the whole way

@promise
def a_token_is_got_for_the_task_bound_to_its_key_and_taken_back_at_its_end():
    h = s.start()
    task = begin(h)
    answers = [get(h, f"/v1/{i}?q={i}") for i in range(3)]
    assert [a.status for a in answers] == [200] * 3, [(a.status, a.body) for a in answers]
    (token,) = s.server.tokens
    assert {shown for shown in s.service.shown} == {(token.value, token.jkt)}
    (form,) = s.server.asked
    assert form == {"grant_type": ["client_credentials"]}, form
    lines = h.wait_requests(3)
    assert {(li["binding"], li["key"]) for li in lines} == {("dpop", token.jkt)}, lines
    assert len({li["proof"] for li in lines}) == 3
    minted = line_of(h, "token minted")
    assert (minted["credential"], minted["task"], minted["form"], minted["key"]) == ("crm", task, "dpop", token.jkt), minted
    over = verb(h, "task_end", id=task)
    assert over["ok"] and over["revocation"] == "revoked", over
    assert token.revoked.is_set() and s.server.revoked == [{"token": [token.value], "token_type_hint": ["access_token"]}]
    assert line_of(h, "token revoked")["tries"] == 1
    stop(h)


# ---- who asks, and with what

def jwk_file(name="client.pem"):
    key = jose.Key()
    pem = key.private.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return s.file(name, pem), key


def by_key():
    path, key = jwk_file()
    return f'client_auth = "private_key_jwt"; client_key = "{path}";', {"agent:7%": key.jwk}


def by_svid():
    path = s.file("svid", "header.claims.signature-of-spire")
    return f'client_auth = "jwt_svid"; client_assertion = "{path}";', {"svid": "header.claims.signature-of-spire"}


AUTHS = [("private-key", by_key), ("post", lambda: (f'client_auth = "client_secret_post"; client_secret = "{s.secret}";', {})),
         ("svid", by_svid), ("none", lambda: ('client_auth = "none";', {"agent:7%": None}))]


@rows(AUTHS)
def a_client_is_shown_as_the_config_says_to_ask_and_to_revoke(row):
    auth, clients = row[1]()
    h = s.start(source=s.source(auth=auth))
    s.server.clients.update(clients)
    task = begin(h)
    assert get(h).status == 200, s.server.faults
    assert verb(h, "task_end", id=task)["revocation"] == "revoked", s.server.faults
    stop(h)


GRANTS = [
    ("exchange", lambda: (f'''grant_type = "token_exchange"; subject_token = "{s.file('subject', 'sub.ject.token')}";
        actor_token = "{s.file('actor', 'act.or.token')}"; requested_token_type = "urn:ietf:params:oauth:token-type:access_token";
        audience = "https://api.test"; resource = ["https://api.test/a", "https://api.test/b?c=d&e"];''',
        {"grant_type": ["urn:ietf:params:oauth:grant-type:token-exchange"], "subject_token": ["sub.ject.token"],
         "subject_token_type": ["urn:ietf:params:oauth:token-type:jwt"], "actor_token": ["act.or.token"],
         "actor_token_type": ["urn:ietf:params:oauth:token-type:jwt"],
         "requested_token_type": ["urn:ietf:params:oauth:token-type:access_token"], "audience": ["https://api.test"],
         "resource": ["https://api.test/a", "https://api.test/b?c=d&e"]})),
    ("jwt-bearer", lambda: (f'''grant_type = "jwt_bearer"; assertion = "{s.file('assertion', 'an.asser.tion')}"; scope = "a b:c";''',
        {"grant_type": ["urn:ietf:params:oauth:grant-type:jwt-bearer"], "assertion": ["an.asser.tion"], "scope": ["a b:c"]})),
]


@rows(GRANTS)
def a_grant_is_asked_for_with_all_that_belongs_to_it(row):
    grant, asked = row[1]()
    h = s.start(source=s.source(grant=grant))
    begin(h)
    assert get(h).status == 200
    assert s.server.asked == [asked], s.server.asked
    stop(h)


@promise
def what_the_grant_allows_stands_in_authorization_details():
    h = s.start(source=s.source('authorization_details = "grant";'))
    task = begin(h)
    assert get(h).status == 200
    (form,) = s.server.asked
    assert json.loads(form["authorization_details"][0]) == [
        {"type": "https://holdfast.dev/rar/grant", "identifier": "nightly", "locations": ["https://api.test"],
         "actions": ["GET", "POST"], "purpose": "testing", "task": task}], form
    stop(h)


@promise
def a_refresh_token_that_is_replaced_serves_every_task_in_turn():
    h = s.start(source=s.source(grant=f'''grant_type = "refresh_token"; refresh_token = "{s.file('refresh', 'rt-first')}";'''))
    s.server.refresh_tokens["rt-first"] = True
    for _ in range(3):
        task = begin(h)
        assert get(h).status == 200, s.server.asked
        verb(h, "task_end", id=task)
    shown = [form["refresh_token"][0] for form in s.server.asked]
    assert shown[0] == "rt-first" and len(set(shown)) == 3 and shown[1:] == list(s.server.refresh_tokens)[1:3], shown
    stop(h)


@promise
def a_bearer_token_is_got_and_shown_where_the_rule_takes_that():
    h = s.start(bind='["bearer"]', because='unbound_because = "the service takes nothing better";')
    begin(h)
    assert get(h).status == 200
    assert s.service.shown == [(s.server.tokens[0].value, None)] and h.wait_requests(1)[0]["binding"] == "bearer"
    stop(h)


# ---- a server that misbehaves

def token(**changed):
    said = {"access_token": "at-" + "x" * 20, "token_type": "DPoP", "expires_in": 600, **changed}
    return says({k: v for k, v in said.items() if v is not None})


def drips(connection, request, form):
    del request, form
    connection.send(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 4000\r\n\r\n")
    while True:
        connection.send(b" ")
        threading.Event().wait(0.05)


def hangs_up(connection, request, form):
    del connection, request, form
    return True


def refuses(error, status=400):
    return says({"error": error, "error_description": f"{SECRET} is wrong"}, status)


HTML = (("Content-Type", "text/html"),)
AWAY = (("Location", "https://denied.test/token"), ("Content-Type", "application/json"))
QUICK = 'timeout = "2s";'

BAD = [
    ("refused", refuses("invalid_client", 401), "as_refused", {"status": 401, "error": "invalid_client"}),
    ("refused-in-its-own-words", refuses(SECRET), "as_refused", {"status": 400, "error": "other"}),
    ("refused-without-words", says("no", 403, HTML), "as_refused", {"status": 403}),
    ("unwell", says("oops", 500, HTML), "as_unreachable", {"status": 500}),
    ("too-busy", says({"error": "slow_down"}, 429), "as_unreachable", {"status": 429}),
    ("hangs-up", hangs_up, "as_unreachable", {"because": "upstream_closed"}),
    ("says-nothing", says_nothing, "as_timeout", {"because": "upstream_timeout"}),
    ("drips", drips, "as_timeout", {"because": "upstream_timeout"}),
    ("redirects", says({"access_token": "x" * 20, "token_type": "DPoP"}, 302, AWAY), "as_malformed", {"status": 302}),
    ("created", says({"access_token": "x" * 20, "token_type": "DPoP"}, 201), "as_malformed", {"status": 201}),
    ("garbage", says(b"\x00\xff{[", 200), "as_malformed", {"status": 200}),
    ("a-list", says([1, 2]), "as_malformed", {}),
    ("a-page", says("<html>", 200, HTML), "as_malformed", {}),
    ("right-but-called-text", says('{"access_token": "xyz", "token_type": "DPoP"}', 200, (("Content-Type", "text/plain"),)), "as_malformed", {}),
    ("twice-the-same-name", says('{"access_token": "a", "access_token": "b", "token_type": "DPoP"}'), "as_malformed", {}),
    ("huge", says(b'{"x":"' + b"x" * 100000 + b'"}'), "as_malformed", {"because": "answer_too_large"}),
    ("no-token", token(access_token=None), "as_malformed", {}),
    ("an-empty-token", token(access_token=""), "as_malformed", {}),
    ("a-number-for-a-token", token(access_token=7), "as_malformed", {}),
    ("a-token-with-a-line-end", token(access_token="good\r\nX-Evil: 1"), "as_malformed", {}),
    ("a-token-with-a-space", token(access_token="good bad"), "as_malformed", {}),
    ("a-token-with-a-comma", token(access_token="good,DPoP"), "as_malformed", {}),
    ("a-token-beyond-ascii", token(access_token="t\u00f6ken"), "as_malformed", {}),
    ("a-token-too-long", token(access_token="x" * 20000), "as_malformed", {}),
    ("no-type", token(token_type=None), "as_malformed", {}),
    ("another-type", token(token_type="N_A"), "as_malformed", {}),
    ("dead-at-birth", token(expires_in=0), "as_malformed", {}),
    ("a-negative-life", token(expires_in=-5), "as_malformed", {}),
    ("a-huge-life", token(expires_in=1e300), "as_malformed", {}),
    ("a-life-in-words", token(expires_in="an hour"), "as_malformed", {}),
    ("bearer", token(token_type="Bearer"), "token_unbound", {"status": 200}),
]


@promise
def a_server_that_misbehaves_gives_no_token_and_is_told_by_its_own_reason():
    h = s.start(source=s.source(QUICK))
    begin(h)
    for name, answer, reason, told in BAD:
        s.server.answer = answer
        told = {"reason": reason, **told}

        def is_told(line, told=told):
            return line.get("msg") == "token not minted" and all(line.get(k) == v for k, v in told.items())

        def refused():
            since = h.index()
            got = get(h)
            assert got.status in (502, 503, 504), (name, got.status, got.body)
            return any(is_told(li) for li in h.lines[since:])

        until(refused, what=f"{name}: {told}")
        h.reload()                              # nobody has to rest any more
    assert not s.service.origin.requests, "a request left without its token"
    s.server.answer = None
    until(lambda: get(h).status == 200, what="a token at last")
    stop(h)


if __name__ == "__main__":
    main(s.end)
