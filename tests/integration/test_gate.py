"""The gate: what Holdfast presents is let through and told on; whatever else is presented is refused, each with its reason."""

import json
import os
import ssl

import jose
from holdfast import (ADDRESSES, OTHER_UID, PROXY_UID, PUBLIC, PUBLIC2, Channel, Holdfast, Origin, Workspace, connect, curl,
                      forward_config, hosts, main, own_network, promise, rows)

own_network(ADDRESSES)
ws = Workspace()
service = Origin("127.0.0.1", 0)
issuer, stranger = jose.Issuer(), jose.Issuer("elsewhere.example")
holder, thief = jose.Key(), jose.Key()
URL = "https://orders.test/v1/orders/7"
RULE = (f'{{ host = "orders.test"; methods = "any"; paths = "any"; credential = "orders"; bind = ["wimse"]; '
        f'inject = "always"; upstream_trust = "{ws.ca.file}"; }}')
sidecar = Holdfast(ws, forward_config(RULE, names=hosts(orders_test=PUBLIC)), name="sidecar")

with open(sidecar.jwks, encoding="ascii") as f:
    JWKS = ws.file("prod.jwks.json", json.dumps({"keys": json.load(f)["keys"] + [issuer.public_jwk]}))
leaf = ws.leaf("orders.test", "small.test")
os.chown(leaf.key, PROXY_UID, PROXY_UID)


def gate_door(listen, rules, more="", name="orders.test"):
    return f"""{{ kind = "gate"; listen = "{listen}"; certificate = "{leaf.certificate}"; key = "{leaf.key}";
    names = ["https://{name}"]; upstream = "http://127.0.0.1:{service.port}"; {more}
    trust = ( {{ domain = "prod.example"; jwks_file = "{JWKS}"; subjects = ["spiffe://prod.example/ns/agents/*"]; }} );
    rules = ( {rules} ); }}"""


ANY = '{ methods = "any"; paths = "any"; subjects = "any"; grants = ["tests"]; purposes = ["testing"]; }'
NARROW = ('{ methods = ["GET"]; paths = ["/v1/**"]; subjects = ["spiffe://prod.example/ns/agents/sa/builder"]; '
          'grants = ["tests"]; purposes = ["testing"]; }')
DIGEST = ('{ methods = "any"; paths = "any"; subjects = "any"; grants = "any"; purposes = "any"; '
          'require_body_digest = true; }')
CACHE = 256
gate = Holdfast(ws, f"""
user = "{PROXY_UID}";
workers = 2;
doors = (
  {gate_door(PUBLIC + ":443", ANY)},
  {gate_door(PUBLIC2 + ":0", ANY, "keep_proof = true;")},
  {gate_door(PUBLIC2 + ":0", NARROW)},
  {gate_door(PUBLIC2 + ":0", DIGEST)},
  {gate_door(PUBLIC2 + ":0", ANY, f"replay_entries = {CACHE};", "small.test")}
);
""", name="gate")
PLAIN, KEEPING, STRICT, DIGESTING, SMALL = range(5)


def ask(fields, method="GET", path="/v1/orders/7", body=None, door=PLAIN, host="orders.test"):
    """From anywhere, straight to the gate."""
    with Channel(connect(*gate.door("gate", door), uid=OTHER_UID)) as c:
        c.start_tls(ssl.create_default_context(cafile=ws.ca.file), "orders.test")
        return c.request(method, path, host, fields, body)


def proved(wit=None, proof=None, **more):
    wit = wit or issuer.wit(holder)
    return [("Workload-Identity-Token", wit), ("Workload-Proof-Token", proof or jose.wpt(holder, wit, URL, **more))]


def refused(fields, reason, status, **how):
    mark, seen = gate.mark(), len(service.requests)
    answer = ask(fields, **how)
    assert (answer.reason, answer.status) == (reason, status), (answer.line, answer.body)
    (line,) = gate.wait_requests(1, mark)
    assert (line["reason"], line["status"], line["door"]) == (reason, status, "gate"), line
    assert "up" not in line and len(service.requests) == seen, "the service was asked"
    for _, value in fields:
        assert len(value) < 20 or value not in json.dumps(line) + answer.body.decode(), "a token in the log or the answer"


# ---- what is let through

@promise
def what_the_workload_asks_through_holdfast_arrives_proved():
    marks = sidecar.mark(), gate.mark()
    service.forget()
    done = curl(sidecar.proxy, sidecar.bundle, "-H", "Authorization: Bearer own", "-d", "a=1", URL + "?tenant=7")
    assert done.returncode == 0 and json.loads(done.stdout)["target"] == "/v1/orders/7?tenant=7", (done.stdout, done.stderr)
    (request,) = service.requests
    assert request.get("authorization") is None and request.body == b"a=1"
    assert request.get("workload-identity-token") is None and request.get("workload-proof-token") is None
    (sent,), (taken,) = sidecar.wait_requests(1, marks[0]), gate.wait_requests(1, marks[1])
    assert sent["binding"] == "wimse" and sent["proof"] == taken["proof"] and sent["key"] == taken["key"], (sent, taken)
    assert [n.lower() for n in sent["stripped"]] == ["authorization"], sent
    facts = {n: v for n, v in request.fields if n.startswith("x-holdfast-")}
    assert "spiffe://prod.example/ns/agents/sa/builder" in facts.values(), facts
    assert "tests" in facts.values() and "testing" in facts.values(), facts


@promise
def every_request_carries_a_fresh_proof_that_others_can_verify():
    service.forget()
    with open(sidecar.jwks, encoding="ascii") as f:
        (authority,) = json.load(f)["keys"]
    kept = Origin(PUBLIC2, 443, ws.leaf("other.test"))
    config = forward_config(RULE.replace("orders.test", "other.test"), names=hosts(other_test=PUBLIC2))
    other = Holdfast(ws, config, name="other")
    with open(other.jwks, encoding="ascii") as f:
        (authority,) = json.load(f)["keys"]
    with other.tls("other.test:443") as c:
        for i in range(3):
            assert c.request("POST", f"/a/{i}?q={i}", "other.test", body=b"x" * i).status == 200
    proofs = [(r.get("workload-identity-token"), r.get("workload-proof-token")) for r in kept.requests]
    assert len({w for w, _ in proofs}) == 1 and len({p for _, p in proofs}) == 3
    for i, (wit, wpt) in enumerate(proofs):
        header, claims = jose.parts(wit)
        assert (header["typ"], header["alg"], header["kid"]) == ("wit+jwt", "ES256", authority["kid"])
        assert jose.verify(wit, authority)
        assert claims["sub"] == "spiffe://prod.example/ns/agents/sa/builder" and claims["iss"].endswith("prod.example")
        assert claims[jose.CONTEXT]["grant"] == "tests" and claims[jose.CONTEXT]["purpose"] == "testing"
        jwk = claims["cnf"]["jwk"]
        assert jwk["alg"] == "ES256" and "d" not in jwk
        header, claims = jose.parts(wpt)
        assert (header["typ"], header["alg"]) == ("wpt+jwt", jwk["alg"]) and jose.verify(wpt, jwk)
        assert claims["aud"] == f"https://other.test/a/{i}" and claims["wth"] == jose.digest(wit)
        told = claims[jose.REQUEST]
        assert told["method"] == "POST" and told["query"] == jose.digest(f"q={i}"), told
        assert told.get("body") in (None, jose.digest("x" * i)), told
    assert all(r.get("authorization") is None for r in kept.requests)
    other.stop()
    kept.stop()


@promise
def a_well_made_proof_of_anyone_trusted_is_accepted():
    assert ask(proved()).status == 200


@promise
def a_proof_is_taken_away_unless_the_door_keeps_it():
    for door, kept in ((PLAIN, False), (KEEPING, True)):
        service.forget()
        assert ask(proved(), door=door).status == 200
        (request,) = service.requests
        assert (request.get("workload-identity-token") is not None) == kept
        assert (request.get("workload-proof-token") is not None) == kept


@promise
def the_facts_are_the_gates_own_words():
    service.forget()
    forged = [("X-Holdfast-Workload", "spiffe://prod.example/root"), ("x-holdfast-grant", "everything"),
              ("X-HOLDFAST-PURPOSE", "mischief"), ("X-Holdfast-Invented", "1")]
    assert ask(proved() + forged).status == 200
    (request,) = service.requests
    facts = [(n, v) for n, v in request.fields if n.startswith("x-holdfast-")]
    assert len(facts) == len({n for n, _ in facts}), facts
    values = [v for _, v in facts]
    assert not {"spiffe://prod.example/root", "everything", "mischief", "1"} & set(values), facts
    assert "spiffe://prod.example/ns/agents/sa/builder" in values, facts


@promise
def an_underscore_does_not_forge_a_fact():
    service.forget()
    answer = ask(proved() + [("X_Holdfast_Workload", "root")])
    names = [n for r in service.requests for n, _ in r.fields]
    assert answer.reason == "field_underscore" or "x_holdfast_workload" not in names


# ---- what is refused

def cut(token, at=2):
    return ".".join(token.split(".")[:at])


def flipped(token):
    head, _, signature = token.rpartition(".")
    raw = bytearray(jose.unb64(signature))
    raw[5] ^= 1
    return head + "." + jose.b64(bytes(raw))


good = issuer.wit(holder)
NOW = jose.parts(good)[1]["iat"]
WIT = "Workload-Identity-Token"
WPT = "Workload-Proof-Token"


def bad_token(**wit):
    return proved(issuer.wit(holder, **wit))


def bad_proof(**more):
    return proved(good, jose.wpt(holder, good, URL, **more))


def stranger_token():
    return proved(stranger.wit(holder))


TOKENS = [
    ("nothing", "token_missing", 400, lambda: []),
    ("proof-alone", "token_missing", 400, lambda: [(WPT, jose.wpt(holder, good, URL))]),
    ("two-tokens", "token_repeated", 400, lambda: proved() + [(WIT, issuer.wit(holder))]),
    ("not-a-token", "token_malformed", 400, lambda: proved("abc", jose.wpt(holder, good, URL))),
    ("two-parts", "token_malformed", 400, lambda: proved(cut(good))),
    ("padded", "token_malformed", 400, lambda: proved(good + "=")),
    ("claims-no-object", "token_malformed", 400,
     lambda: proved(issuer.key.sign({"typ": "wit+jwt", "alg": "ES256", "kid": "tests"}, "[1]"))),
    ("claims-repeated", "token_malformed", 400,
     lambda: proved(issuer.key.sign({"typ": "wit+jwt", "alg": "ES256", "kid": "tests"}, '{"sub":"a","sub":"b"}'))),
    ("no-subject", "token_malformed", 400, lambda: bad_token(claims={"sub": None})),
    ("no-expiry", "token_malformed", 400, lambda: bad_token(claims={"exp": None})),
    ("no-key", "token_malformed", 400, lambda: bad_token(claims={"cnf": None})),
    ("key-without-alg", "token_malformed", 400, lambda: bad_token(claims={"cnf": {"jwk": holder.jwk}})),
    ("private-key-inside", "token_malformed", 400,
     lambda: bad_token(claims={"cnf": {"jwk": {**holder.jwk, "alg": "ES256", "d": "AAAA"}}})),
    ("type", "token_type", 400, lambda: bad_token(header={"typ": "JWT"})),
    ("no-type", "token_type", 400, lambda: bad_token(header={"typ": None})),
    ("none", "token_algorithm", 400, lambda: bad_token(header={"alg": "none"})),
    ("hmac", "token_algorithm", 400, lambda: bad_token(header={"alg": "HS256"})),
    ("other-domain", "token_untrusted", 400, stranger_token),
    ("unknown-key", "token_untrusted", 400, lambda: bad_token(header={"kid": "another"})),
    ("other-issuer", "token_untrusted", 400, lambda: bad_token(claims={"iss": "https://idp.example"})),
    ("foreign-key-own-domain", "token_signature", 400, lambda: bad_token(key=stranger.key)),
    ("flipped-bit", "token_signature", 400, lambda: proved(flipped(good))),
    ("subject", "token_subject", 403, lambda: bad_token(claims={"sub": "spiffe://prod.example/ns/people/sa/x"})),
    ("expired", "token_expired", 400, lambda: bad_token(claims={"iat": NOW - 900, "exp": NOW - 300})),
    ("not-yet", "token_not_yet", 400, lambda: bad_token(claims={"iat": NOW + 300, "nbf": NOW + 300})),
    ("no-context", "context_missing", 403, lambda: bad_token(claims={jose.CONTEXT: None})),
    ("no-grant", "context_missing", 403, lambda: proved(issuer.wit(holder, grant=None))),
    ("no-purpose", "context_missing", 403, lambda: proved(issuer.wit(holder, purpose=None))),
    ("other-grant", "context_refused", 403, lambda: proved(issuer.wit(holder, grant="another"))),
    ("other-purpose", "context_refused", 403, lambda: proved(issuer.wit(holder, purpose="another"))),
]

PROOFS = [
    ("token-alone", "proof_missing", 400, lambda: [(WIT, good)]),
    ("two-proofs", "proof_repeated", 400, lambda: proved() + [(WPT, jose.wpt(holder, good, URL))]),
    ("not-a-proof", "proof_malformed", 400, lambda: proved(good, "abc")),
    ("no-id", "proof_malformed", 400, lambda: bad_proof(claims={"jti": None})),
    ("no-expiry", "proof_malformed", 400, lambda: bad_proof(claims={"exp": None})),
    ("type", "proof_type", 400, lambda: bad_proof(header={"typ": "JWT"})),
    ("algorithm", "proof_algorithm", 400, lambda: bad_proof(header={"alg": "EdDSA"})),
    ("none", "proof_algorithm", 400, lambda: bad_proof(header={"alg": "none"})),
    ("thief", "proof_signature", 400, lambda: proved(good, jose.wpt(thief, good, URL))),
    ("flipped-bit", "proof_signature", 400, lambda: proved(good, flipped(jose.wpt(holder, good, URL)))),
    ("expired", "proof_expired", 400, lambda: bad_proof(exp_in=-60)),
    ("too-long", "proof_too_long", 400, lambda: bad_proof(exp_in=86400)),
    ("other-path", "proof_audience", 400, lambda: proved(good, jose.wpt(holder, good, URL + "1"))),
    ("other-host", "proof_audience", 400, lambda: proved(good, jose.wpt(holder, good, "https://evil.test/v1/orders/7"))),
    ("clear-text", "proof_audience", 400, lambda: proved(good, jose.wpt(holder, good, URL.replace("https", "http")))),
    ("query-in-audience", "proof_audience", 400, lambda: bad_proof(claims={"aud": URL + "?a=b"})),
    ("no-audience", "proof_audience", 400, lambda: bad_proof(claims={"aud": None})),
    ("other-token", "proof_token", 400, lambda: proved(good, jose.wpt(holder, issuer.wit(holder), URL))),
    ("no-token-hash", "proof_token", 400, lambda: bad_proof(claims={"wth": None})),
    ("authorization-uncovered", "proof_authorization", 400, lambda: bad_proof() + [("Authorization", "Bearer at")]),
    ("authorization-other", "proof_authorization", 400,
     lambda: bad_proof(claims={"ath": jose.digest("another")}) + [("Authorization", "Bearer at")]),
    ("transaction-uncovered", "proof_other_token", 400, lambda: bad_proof() + [("Txn-Token", "txn")]),
    ("covers-what-is-not-there", "proof_other_token", 400, lambda: bad_proof(claims={"oth": {"x-token": jose.digest("x")}})),
    ("no-request-claim", "proof_request", 400, lambda: bad_proof(claims={jose.REQUEST: None})),
    ("no-method", "proof_request", 400, lambda: bad_proof(request={"method": None})),
    ("other-method", "proof_method", 400, lambda: proved(good, jose.wpt(holder, good, URL, method="DELETE"))),
    ("method-case", "proof_method", 400, lambda: proved(good, jose.wpt(holder, good, URL, method="get"))),
    ("query-not-there", "proof_query", 400, lambda: proved(good, jose.wpt(holder, good, URL + "?a=b"))),
]


@rows(TOKENS)
def a_bad_token_is_refused(row):
    _, reason, status, fields = row
    refused(fields(), reason, status)


@rows(PROOFS)
def a_bad_proof_is_refused(row):
    _, reason, status, fields = row
    refused(fields(), reason, status)


@promise
def a_query_the_proof_does_not_know_is_refused():
    refused(proved(), "proof_query", 400, path="/v1/orders/7?tenant=8")
    refused(proved(good, jose.wpt(holder, good, URL + "?a=1")), "proof_query", 400, path="/v1/orders/7?a=2")


@promise
def another_body_is_refused():
    fields = proved(good, jose.wpt(holder, good, URL, method="POST", body=b"hello"))
    refused(fields, "proof_body", 400, method="POST", body=b"hellO")
    fields = proved(good, jose.wpt(holder, good, URL, method="POST", body=b"hello"))
    assert ask(fields, method="POST", body=b"hello").status == 200


@promise
def a_rule_that_wants_the_body_covered_refuses_a_proof_that_does_not():
    fields = proved(good, jose.wpt(holder, good, URL, method="POST"))
    refused(fields, "proof_body", 400, method="POST", body=b"hello", door=DIGESTING)
    fields = proved(good, jose.wpt(holder, good, URL, method="POST", body=b"hello"))
    assert ask(fields, method="POST", body=b"hello", door=DIGESTING).status == 200


@promise
def a_proof_works_once():
    fields = proved()
    assert ask(fields).status == 200
    for _ in range(24):         # whichever worker it meets
        refused(fields, "proof_replayed", 400)


@promise
def a_refused_proof_is_not_used_up():
    fields = proved()
    refused(fields, "proof_method", 400, method="DELETE")
    assert ask(fields).status == 200


@promise
def one_connection_does_not_carry_trust_from_one_request_to_the_next():
    with Channel(connect(*gate.door("gate"), uid=OTHER_UID)) as c:
        c.start_tls(ssl.create_default_context(cafile=ws.ca.file), "orders.test")
        assert c.request("GET", "/v1/orders/7", "orders.test", proved()).status == 200
        assert c.request("GET", "/v1/orders/7", "orders.test").reason == "token_missing"


@promise
def what_no_rule_of_the_gate_names_is_refused():
    url = "https://orders.test/v2/x"
    refused(proved(good, jose.wpt(holder, good, url)), "path_not_allowed", 403, path="/v2/x", door=STRICT)
    refused(proved(good, jose.wpt(holder, good, URL, method="POST")), "method_not_allowed", 403, method="POST", door=STRICT)


@promise
def another_host_in_the_clients_words_is_refused():
    answer = ask(proved(), host="evil.test")
    assert (answer.status, answer.reason) == (421, "not_our_name"), answer.line


@promise
def two_doors_of_one_origin_share_what_they_remember():
    fields = proved()
    assert ask(fields).status == 200
    refused(fields, "proof_replayed", 400, door=KEEPING)


@promise
def a_full_replay_cache_fails_closed():
    def fresh():
        return proved(good, jose.wpt(holder, good, "https://small.test/x"))

    first, seen = fresh(), len(service.requests)
    with Channel(connect(*gate.door("gate", SMALL), uid=OTHER_UID)) as c:
        c.start_tls(ssl.create_default_context(cafile=ws.ca.file), "small.test")
        answers = [c.request("GET", "/x", "small.test", f) for f in [first] + [fresh() for _ in range(2 * CACHE)]]
        again = c.request("GET", "/x", "small.test", first)
    taken = [a for a in answers if a.status == 200]
    full = [a for a in answers if a.status != 200]
    assert len(taken) == CACHE and {(a.status, a.reason) for a in full} == {(503, "replay_cache_full")}, (len(taken), full[:1])
    assert len(service.requests) - seen == CACHE
    assert again.reason == "proof_replayed", "what was remembered is still remembered"
    assert ask(proved()).status == 200, "another origin has room of its own"


def end():
    sidecar.stop()
    gate.stop()
    ws.remove()


main(end)
