"""The gate and DPoP: an access token passes with a proof by the key it is bound to, once; whatever else is shown with it is
refused, in words that a client of DPoP can act on."""

import json
import mmap
import os
import ssl
import struct
import subprocess

import access
import jose
from access import proof, rule, shown
from holdfast import (ADDRESSES, OTHER_UID, PROXY_UID, PUBLIC, PUBLIC2, Channel, Holdfast, Origin, Workspace, connect, main, own_network,
                      promise, rows)
from ledger import name_of
from strangers import node_folder, tool

own_network(ADDRESSES)
ws = Workspace()
service = Origin("127.0.0.1", 0)
idp, stranger = access.Issuer(), access.Issuer()
holder, thief = jose.Key(), jose.Key()
URL = "https://orders.test/v1/orders/7"
leaf = access.leaf_for(ws, "orders.test")
ISSUER = (f'{{ issuer = "{idp.name}"; audience = "{access.AUDIENCE}"; '
          f'jwks_file = "{ws.file("idp.jwks.json", json.dumps(idp.jwks))}"; }}')


def door(listen, rules=rule(), more='accept = ["dpop"];'):
    return access.door(leaf, listen, service, ISSUER, rules, more)


def config(*doors):
    return f'user = "{PROXY_UID}"; workers = 2; doors = ( {", ".join(doors)} );'


gate = Holdfast(ws, config(door(PUBLIC + ":443"), door(PUBLIC2 + ":0"), door(PUBLIC2 + ":443", more='accept = ["dpop"]; nonce = "demand";'),
                           door(PUBLIC2 + ":0", rule('scopes = ["orders:write", "orders:all"];')),
                           door(PUBLIC2 + ":0", more='accept = ["dpop"]; keep_proof = true;')), name="gate")
PLAIN, TWIN, NONCE, SCOPED, KEEPING = range(5)


def ask(fields, path="/v1/orders/7", at=PLAIN, of=gate, method="GET"):
    with Channel(connect(*of.door("gate", at), uid=OTHER_UID)) as c:
        c.start_tls(ssl.create_default_context(cafile=ws.ca.file), "orders.test")
        return c.request(method, path, "orders.test", fields)


def refused(fields, reason, status=401, error=None, **how):
    mark, seen = gate.mark(), len(service.requests)
    answer = ask(fields, **how)
    assert (answer.reason, answer.status) == (reason, status), (answer.line, answer.body)
    challenge = answer.get("www-authenticate")
    if error is not None:
        assert challenge.startswith("DPoP ") and f'error="{error}"' in challenge and 'algs="ES256 ' in challenge, challenge
    (line,) = gate.wait_requests(1, mark)
    assert (line["reason"], line["status"]) == (reason, status) and "up" not in line, line
    assert len(service.requests) == seen, "the service was asked"
    for _, value in fields:
        assert len(value) < 20 or value.split(" ")[-1] not in json.dumps(line), "a token in the log"
    return answer


# ---- what is let through

@promise
def a_token_with_its_proof_passes_and_three_witnesses_agree():
    service.forget()
    mark, token = gate.mark(), idp.token(holder)
    fields = shown(holder, token, URL)
    answer = ask(fields + [("X-Holdfast-Subject", "root"), ("X-Holdfast-Scope", "all")])
    assert answer.status == 200, (answer.line, answer.body)
    (request,) = service.requests
    told = {n.lower(): v for n, v in request.fields if n.lower().startswith("x-holdfast-")}
    claims = jose.parts(fields[1][1])[1]
    assert told == {"x-holdfast-subject": "builder", "x-holdfast-client": "c-1", "x-holdfast-issuer": idp.name, "x-holdfast-binding": "dpop",
                    "x-holdfast-scope": "orders:read orders:write", "x-holdfast-proof": claims["jti"],
                    "x-holdfast-key": holder.thumbprint}, told
    assert request.get("authorization") is None and request.get("dpop") is None
    (line,) = gate.wait_requests(1, mark)
    assert (line["who"], line["binding"], line["client"], line["issuer"]) == ("builder", "dpop", "c-1", idp.name), line
    assert line["proof"] == claims["jti"] and line["key"] == holder.thumbprint, line


@promise
def the_ledger_says_who_proved_it_and_how():
    other = Holdfast(ws, lambda g: f'ledger = {{ keep = "{g.run}/ledger"; }};' + config(door(PUBLIC2 + ":0")), name="recorded")
    ask(shown(holder, idp.token(holder), URL), at=0, of=other)
    ask(shown(thief, idp.token(holder), URL), at=0, of=other)
    other.stop()
    folder = other.run + "/ledger"
    with open(os.path.join(folder, name_of(1)), encoding="utf-8") as f:
        allowed, refusal = [r for r in map(json.loads, f) if r["kind"] == "decision"]
    assert (allowed["verdict"], allowed["who"], allowed["binding"]) == ("allow", "builder", "dpop"), allowed
    assert (allowed["client"], allowed["issuer"], allowed["key"]) == ("c-1", idp.name, holder.thumbprint) and allowed["proof"], allowed
    assert (refusal["verdict"], refusal["reason"]) == ("refuse", "proof_key") and "client" not in refusal, refusal


@promise
def a_query_may_differ_and_the_scheme_has_no_case():
    token = idp.token(holder)
    assert ask([("authorization", "dPoP " + token), ("dpop", proof(holder, token, URL))], path="/v1/orders/7?a=1").status == 200


@promise
def a_door_may_keep_the_proof_for_its_service():
    service.forget()
    token = idp.token(holder)
    assert ask(shown(holder, token, URL), at=KEEPING).status == 200
    assert service.requests[0].get("authorization") == "DPoP " + token and service.requests[0].get("dpop")


# ---- what is not

TOKEN, PROOF = "invalid_token", "invalid_dpop_proof"


@rows([
    ("nothing", lambda t: [], "token_missing", None),
    ("a token alone", lambda t: shown(holder, t, URL)[:1], "proof_missing", PROOF),
    ("a proof alone", lambda t: shown(holder, t, URL)[1:], "token_missing", None),
    ("as a bearer's", lambda t: shown(holder, t, URL, scheme="Bearer"), "token_bearer", TOKEN),
    ("as a bearer's, without a proof", lambda t: [("Authorization", "Bearer " + t)], "token_bearer", TOKEN),
    ("two tokens", lambda t: shown(holder, t, URL) + [("Authorization", "DPoP " + t)], "token_repeated", None),
    ("two proofs", lambda t: shown(holder, t, URL) + [("DPoP", proof(holder, t, URL))], "proof_repeated", PROOF),
    ("by a thief's key", lambda t: shown(thief, t, URL), "proof_key", PROOF),
    ("for another token", lambda t: [("Authorization", "DPoP " + t), ("DPoP", proof(holder, "x", URL))], "proof_authorization", PROOF),
    ("for another path", lambda t: shown(holder, t, URL + "0"), "proof_audience", PROOF),
    ("for another host", lambda t: shown(holder, t, "https://other.test/v1/orders/7"), "proof_audience", PROOF),
    ("for another method", lambda t: shown(holder, t, URL, method="POST"), "proof_method", PROOF),
    ("of another type", lambda t: shown(holder, t, URL, header={"typ": "JWT"}), "proof_type", PROOF),
    ("with the whole key", lambda t: shown(holder, t, URL, header={"jwk": {**holder.jwk, "d": "AA"}}), "proof_private_key", PROOF),
    ("unbound", lambda t: shown(holder, idp.token(), URL), "token_bearer", TOKEN),
    ("of a stranger", lambda t: shown(holder, stranger.token(holder), URL), "token_signature", TOKEN),
    ("by a key nobody knows", lambda t: shown(holder, idp.token(holder, header={"kid": "k2"}), URL), "token_key_unknown", TOKEN),
    ("of another issuer", lambda t: shown(holder, idp.token(holder, iss="https://evil.test"), URL), "token_untrusted", TOKEN),
    ("for another service", lambda t: shown(holder, idp.token(holder, aud="https://other.test"), URL), "token_audience", TOKEN),
    ("outdated", lambda t: shown(holder, idp.token(holder, exp=1700000000), URL), "token_expired", TOKEN),
    ("no access token", lambda t: shown(holder, idp.token(holder, header={"typ": "JWT"}), URL), "token_type", TOKEN),
    ("symmetric", lambda t: shown(holder, idp.token(holder, header={"alg": "HS256"}), URL), "token_algorithm", TOKEN),
    ("bound to a certificate as well", lambda t: shown(
        holder, idp.token(cnf={"jkt": holder.thumbprint, "x5t#S256": jose.digest("x")}), URL), "token_certificate", TOKEN),
])
def each_way_of_being_wrong_has_its_reason(row):
    _, make, reason, error = row
    refused(make(idp.token(holder)), reason, error=error)


@promise
def a_workloads_name_is_not_an_issuers_to_give():
    refused(shown(holder, idp.token(holder, sub="spiffe://prod.example/ns/agents/sa/builder"), URL), "token_subject", 403)


@promise
def a_token_without_the_scopes_of_the_rule_is_refused():
    refused(shown(holder, idp.token(holder), URL), "scope_missing", 403, error="insufficient_scope", at=SCOPED)
    assert ask(shown(holder, idp.token(holder, scope="a orders:all orders:write"), URL), at=SCOPED).status == 200


@promise
def a_copied_proof_is_refused_wherever_it_is_shown():
    fields = shown(holder, idp.token(holder), URL)
    assert ask(fields).status == 200
    for _ in range(4):                          # whichever worker takes the connection
        refused(fields, "proof_replayed", error=PROOF)
    refused(fields, "proof_replayed", error=PROOF, at=TWIN)


# ---- nonces

@promise
def a_nonce_is_asked_for_and_then_taken():
    token = idp.token(holder)
    nonce = refused(shown(holder, token, URL), "proof_nonce", error="use_dpop_nonce", at=NONCE).get("dpop-nonce")
    assert nonce
    fields = shown(holder, token, URL, nonce=nonce)
    assert ask(fields, at=NONCE).status == 200
    refused(fields, "proof_replayed", error=PROOF, at=NONCE)
    refused(shown(thief, idp.token(thief), URL, nonce=nonce), "proof_nonce", error="use_dpop_nonce", at=NONCE)
    refused(shown(holder, token, URL, nonce="AAAA"), "proof_nonce", error="use_dpop_nonce", at=NONCE)


# ---- the clock

class Stepped(Holdfast):
    """One whose wall clock is ours."""

    def __init__(self, seconds):
        path = ws.file("gate.step", struct.pack("q", seconds) + b"\0" * (mmap.PAGESIZE - 8))
        super().__init__(ws, config(door(PUBLIC2 + ":0")), name=f"gate{seconds}", env={
            "LD_PRELOAD": os.environ["HOLDFAST_CLOCK_STEP"], "CLOCK_STEP_FILE": path,
            "ASAN_OPTIONS": "detect_leaks=0:abort_on_error=0:verify_asan_link_order=0"})


# What takes its time on the way grows older: each row stays true then.
@rows([(30, 200, None), (61, 401, "proof_expired"), (-5, 200, None), (-60, 401, "proof_not_yet")])
def two_clocks_may_differ_by_so_much(row):
    seconds, status, reason = row
    other = Stepped(seconds)
    answer = ask(shown(holder, idp.token(holder), URL), at=0, of=other)
    assert (answer.status, answer.reason) == (status, reason), (answer.line, answer.body)
    other.stop()


# ---- a client by others

@rows([("ES256", PLAIN), ("ES256, with nonces", NONCE), ("PS256", NONCE), ("Ed25519", PLAIN)])
def npm_dpop_is_served(row):
    alg, at = row[0].partition(",")[0], row[1]
    node, folder = tool("node"), node_folder(ws, "dpop")
    client = subprocess.Popen([node, "ask_dpop.mjs", URL, gate.door("gate", at)[0], alg], cwd=folder, stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE, env={**os.environ, "NODE_EXTRA_CA_CERTS": ws.ca.file}, text=True)
    try:
        thumbprint = json.loads(client.stdout.readline())["thumbprint"]
        client.stdin.write(idp.token(cnf={"jkt": thumbprint}) + "\n")
        client.stdin.flush()
        told = [json.loads(client.stdout.readline())["answers"] for _ in range(3)]
    finally:
        client.kill()
        client.wait()
    assert [a[-1]["status"] for a in told] == [200, 200, 200], told
    assert [len(a) for a in told] == ([2, 1, 1] if at == NONCE else [1, 1, 1]), told


main()
