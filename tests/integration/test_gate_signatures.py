"""A gate and message signatures (RFC 9421): what Holdfast signs is let through once and told on, so is what a partner signs
whose key the gate knows; whatever misses the request it comes with is refused, each with its reason."""

import json
import os
import ssl

import jose
import sigs
from h2_origin import direct
from holdfast import (ADDRESSES, OTHER_UID, PROXY_UID, PUBLIC, PUBLIC2, Channel, Holdfast, Origin, Workspace, connect,
                      forward_config, hosts, main, own_network, promise, rows)

own_network(ADDRESSES)
ws = Workspace()
service = Origin("127.0.0.1", 0)
issuer, holder, partner, thief, impostor = jose.Issuer(), jose.Key(), jose.Key(), jose.Key(), jose.Key()
BUILDER = "spiffe://prod.example/ns/agents/sa/builder"
RULE = (f'{{ host = "orders.test"; methods = "any"; paths = "any"; credential = "orders"; bind = ["httpsig"]; '
        f'inject = "always"; upstream_trust = "{ws.ca.file}"; }}')
sidecar = Holdfast(ws, forward_config(RULE, names=hosts(orders_test=PUBLIC)), name="sidecar")
with open(sidecar.jwks, encoding="ascii") as f:
    JWKS = ws.file("prod.jwks.json", json.dumps({"keys": json.load(f)["keys"] + [issuer.public_jwk]}))
PARTNERS = ws.file("partners.jwks.json", json.dumps({"keys": [{**key.jwk, "kid": kid} for key, kid in ((partner, "partner-1"), (impostor, BUILDER))]}))
leaf = ws.leaf("orders.test")
os.chown(leaf.key, PROXY_UID, PROXY_UID)


def door(listen, rules, signature="", accept='"httpsig"'):
    return f"""{{ kind = "gate"; listen = "{listen}"; certificate = "{leaf.certificate}"; key = "{leaf.key}";
    names = ["https://orders.test"]; upstream = "http://127.0.0.1:{service.port}"; accept = [{accept}]; {signature}
    trust = ( {{ domain = "prod.example"; jwks_file = "{JWKS}"; subjects = ["spiffe://prod.example/ns/agents/*"]; }} );
    rules = ( {rules} ); }}"""


ANY = '{ methods = "any"; paths = "any"; subjects = "any"; grants = "any"; purposes = "any"; require_body_digest = true; }'
OURS = '{ methods = "any"; paths = "any"; subjects = "any"; grants = ["tests"]; purposes = ["testing"]; }'
KNOWN = f'signature = {{ jwks_file = "{PARTNERS}"; }};'
gate = Holdfast(ws, f"""
user = "{PROXY_UID}";
workers = 2;
doors = ( {door(PUBLIC + ":443", ANY, KNOWN)}, {door(PUBLIC2 + ":0", OURS, accept='"httpsig", "wimse"')} );
""", name="gate")
BODY, PATH = b'{"item":1}', "/v1/orders/7?tenant=7"
WIMSE = ['"@method"', '"@request-target"', '"workload-identity-token"']
PLAIN = ['"@method"', '"@target-uri"']


def ask(fields, method="GET", path=PATH, body=None, nth=0):
    with Channel(connect(*gate.door("gate", nth), uid=OTHER_UID)) as c:
        c.start_tls(ssl.create_default_context(cafile=ws.ca.file), "orders.test")
        return c.request(method, path, "orders.test", fields, body)


def ask_h2(fields, method="GET", path=PATH):
    with direct(PUBLIC, 443, ws.ca.file, "orders.test") as p:
        return p.request(method, path, "orders.test", fields).answer()


def signed(wit=None, key=None, covers=None, method="GET", path=PATH, body=None, more=(), said=None):
    """The fields of a request that was signed as the arguments say."""
    fields = [*([("workload-identity-token", wit)] if wit else []), *more]
    covers = list(covers or (WIMSE if wit else PLAIN))
    if body is not None:
        fields += [("content-type", "application/json"), ("content-digest", sigs.content_digest(body))]
        covers += ['"content-type"', '"content-digest"']
    told = f';tag="{sigs.WIMSE}";wimse-aud="https://orders.test"' if wit else ';keyid="partner-1"'
    message = {"method": method, "target": path, "host": "orders.test", "fields": fields}
    key = key or (holder if wit else partner)
    return fields + sigs.sign(key, covers, sigs.times() + (told if said is None else said), message)


@promise
def what_holdfast_signs_is_let_through_and_told_on():
    for method, body in (("GET", None), ("POST", BODY), ("POST", b"")):
        mark, own, before = gate.mark(), sidecar.mark(), len(service.requests)
        answer = sidecar.get(PATH, "orders.test:443", method=method, body=body)
        assert answer.status == 200, (answer.line, answer.body)
        request = service.requests[before]
        (line,), (sent,) = gate.wait_requests(1, mark), sidecar.wait_requests(1, own)
        assert line["binding"] == sent["binding"] == "httpsig" and line["proof"] == sent["proof"], (line, sent)
        assert request.get("x-holdfast-binding") == "httpsig" and request.get("x-holdfast-proof") == sent["proof"]
        assert request.get("x-holdfast-workload") == "spiffe://prod.example/ns/agents/sa/builder"
        assert (request.get("x-holdfast-grant"), request.get("x-holdfast-purpose")) == ("tests", "testing")
        assert not {"signature", "signature-input", "workload-identity-token"} & {n for n, _ in request.fields}, request.fields


@rows([("h1", ask), ("h2", ask_h2)])
def a_signed_request_is_let_through_once(row):
    _, way = row
    for fields in (signed(issuer.wit(holder)), signed()):
        assert way(fields).status == 200
        again = way(fields)
        assert (again.status, again.reason) == (400, "proof_replayed"), again.reason


@promise
def a_partner_is_known_by_its_keys_id():
    before = len(service.requests)
    assert ask(signed(body=BODY, method="POST"), "POST", body=BODY).status == 200
    request = service.requests[before]
    assert request.get("x-holdfast-subject") == "partner-1" and request.get("x-holdfast-workload") is None
    assert ask(signed(), nth=1).reason == "token_missing", "the other door knows no partner"


WIT = issuer.wit(holder)
REFUSED = [
    ("unsigned", "signature_missing", [], {}),
    ("a-token-alone", "signature_missing", [("Workload-Identity-Token", WIT)], {}),
    ("another-key", "signature_wrong", lambda: signed(WIT, thief), {}),
    ("a-partner-unknown", "signature_key", lambda: signed(said=';keyid="partner-2"'), {}),
    ("a-partner-called-like-a-workload", "signature_key", lambda: signed(key=impostor, said=f';keyid="{BUILDER}"'), {}),
    ("another-path", "signature_wrong", lambda: signed(WIT), {"path": "/v1/orders/8?tenant=7"}),
    ("another-query", "signature_wrong", lambda: signed(), {"path": "/v1/orders/7?tenant=8"}),
    ("another-method", "signature_wrong", lambda: signed(), {"method": "DELETE"}),
    ("another-body", "proof_body", lambda: signed(WIT, method="POST", body=BODY), {"method": "POST", "body": b'{"item":2}'}),
    ("a-body-behind-it", "signature_coverage", lambda: signed(WIT, method="POST"), {"method": "POST", "body": BODY}),
    ("a-token-beside-it", "signature_coverage", lambda: signed(WIT) + [("Authorization", "Bearer stolen")], {}),
    ("a-key-beside-it", "signature_coverage", lambda: signed() + [("X-Api-Key", "stolen")], {}),
    ("not-the-target", "signature_coverage", lambda: signed(covers=['"@method"', '"@authority"']), {}),
    ("not-the-token", "signature_coverage", lambda: signed(WIT, covers=WIMSE[:2]), {}),
    ("for-another", "proof_audience",
     lambda: signed(WIT, said=f';tag="{sigs.WIMSE}";wimse-aud="https://other.test"'), {}),
    ("of-another-tag", "signature_parameters", lambda: signed(WIT, said=';tag="x";wimse-aud="https://orders.test"'), {}),
    ("by-another-algorithm", "signature_algorithm", lambda: signed(said=';keyid="partner-1";alg="hmac-sha256"'), {}),
    ("twice-the-field", "signature_malformed", lambda: (lambda f: f + f[-2:])(signed()), {}),
    ("half-of-it", "signature_malformed", lambda: signed()[:-1], {}),
    ("a-field-called-method", "signature_wrong", lambda: signed() + [("@method", "GET")], {"method": "DELETE"}),
    ("an-old-token", "token_expired", lambda: signed(issuer.wit(holder, claims={"exp": 1700000000})), {}),
]


@rows(REFUSED)
def what_misses_the_request_is_refused(row):
    name, reason, fields, how = row
    mark, seen = gate.mark(), len(service.requests)
    answer = ask(fields() if callable(fields) else fields, **how)
    if name == "a-field-called-method":
        assert answer.status == 400 and answer.reason in (reason, "field_name"), answer.reason
    else:
        assert (answer.status, answer.reason) == (400, reason), (answer.status, answer.reason)
    (line,) = gate.wait_requests(1, mark)
    assert line["reason"] == answer.reason and len(service.requests) == seen, line


@promise
def of_two_proofs_that_the_door_accepts_none_is_taken():
    wit = issuer.wit(holder)
    fields = signed(wit) + [("Workload-Proof-Token", jose.wpt(holder, wit, "https://orders.test" + PATH))]
    assert ask(fields, nth=1).reason == "proof_several"
    assert ask(signed(issuer.wit(holder)), nth=1).status == 200
    assert ask(signed(issuer.wit(holder, purpose="other")), nth=1).reason == "context_refused"


@promise
def a_gate_whose_partners_keys_cannot_be_read_does_not_open():
    for name, content in (("none.json", None), ("broken.json", "{")):
        path = ws.file(name, content)
        told = gate.reload(lambda h: f"""
user = "{PROXY_UID}";
workers = 2;
doors = ( {door(PUBLIC + ":443", ANY, KNOWN.replace(PARTNERS, path))}, {door(PUBLIC2 + ":0", OURS, accept='"httpsig", "wimse"')} );
""")
        assert told["msg"] != "config reloaded", told
    assert ask(signed()).status == 200


def end():
    gate.stop()
    sidecar.stop()
    ws.remove()


main(end)
