"""A gate that takes client certificates, tokens that are bound to them, and message signatures: each beside the others, and none in
place of another."""

import json
import os
import ssl

import access
import jose
from access import rule, shown
from client_certs import Clients
from holdfast import (ADDRESSES, OTHER_UID, PROXY_UID, PUBLIC, PUBLIC2, Channel, Holdfast, Origin, Workspace, connect, curl,
                      forward_config, hosts, main, own_network, promise, rows)

own_network(ADDRESSES)
ws = Workspace()
service = Origin("127.0.0.1", 0)
clients = Clients(ws)
idp, holder = access.Issuer(), jose.Key()
WORKLOAD = "spiffe://prod.example/ns/agents/sa/builder"
builder, named = clients.make(WORKLOAD), clients.make("builder.test")
outsider = clients.make("spiffe://evil.example/ns/agents/sa/builder")
URL = "https://orders.test/v1/orders/7"
leaf = access.leaf_for(ws, "orders.test")
RULE = ('{ host = "orders.test"; methods = "any"; paths = "any"; credential = "orders"; bind = ["httpsig"]; '
        f'inject = "always"; upstream_trust = "{ws.ca.file}"; }}')
sidecar = Holdfast(ws, forward_config(RULE, names=hosts(orders_test=PUBLIC2)), name="sidecar")
with open(sidecar.jwks, encoding="ascii") as f:
    JWKS = ws.file("prod.jwks.json", f.read())
TRUST = f'trust = ( {{ domain = "prod.example"; jwks_file = "{JWKS}"; subjects = ["spiffe://prod.example/ns/agents/*"]; }} );'
ISSUER = (f'{{ issuer = "{idp.name}"; audience = "{access.AUDIENCE}"; '
          f'jwks_file = "{ws.file("idp.jwks.json", json.dumps(idp.jwks))}"; }}')


def door(listen, accept, more="", issuers="", rules=rule()):
    told = access.door(leaf, listen, service, issuers, rules, f'accept = [{accept}]; {more}')
    return told if issuers else told.replace("issuers = (  );", "")


MTLS = f'clients_trust = "{clients.file}"; {TRUST}'
gate = Holdfast(ws, f"""user = "{PROXY_UID}"; workers = 2; doors = (
  {door(PUBLIC + ":443", '"mtls"', MTLS)},
  {door(PUBLIC + ":0", '"dpop", "mtls"', MTLS.replace(TRUST, ""), ISSUER)},
  {door(PUBLIC2 + ":443", '"httpsig"', TRUST)},
  {door(PUBLIC + ":0", '"wimse"', TRUST)} );""", name="gate")
CERTIFICATE, TOKENS, SIGNED, WIMSE = range(4)


def ask(fields=(), client=None, at=CERTIFICATE):
    context = ssl.create_default_context(cafile=ws.ca.file)
    if client is not None:
        context.load_cert_chain(client.leaf.certificate, client.leaf.key)
    with Channel(connect(*gate.door("gate", at), uid=OTHER_UID)) as c:
        c.start_tls(context, "orders.test")
        return c.request("GET", "/v1/orders/7", "orders.test", list(fields))


def refused(answer, reason, status):
    assert (answer.reason, answer.status) == (reason, status), (answer.line, answer.body)


def facts(request):
    return {n.lower().removeprefix("x-holdfast-"): v for n, v in request.fields if n.lower().startswith("x-holdfast-")}


# ---- certificates

@promise
def a_certificate_is_who_asks():
    service.forget()
    mark = gate.mark()
    assert ask(client=builder).status == 200
    assert facts(service.requests[0]) == {"workload": WORKLOAD, "binding": "mtls", "key": builder.thumbprint}
    (line,) = gate.wait_requests(1, mark)
    assert (line["who"], line["binding"], line["key"]) == (WORKLOAD, "mtls", builder.thumbprint), line
    assert ask(client=named).status == 200
    assert facts(service.requests[1]) == {"subject": "builder.test", "binding": "mtls", "key": named.thumbprint}


@promise
def who_shows_none_or_anothers_is_refused():
    service.forget()
    refused(ask(), "client_certificate_missing", 400)
    refused(ask(client=outsider), "client_certificate_untrusted", 403)
    assert not service.requests


# ---- tokens bound to them

def bound(client, **more):
    return [("Authorization", "Bearer " + idp.token(cnf={"x5t#S256": client.thumbprint}, **more))]


@promise
def a_token_passes_with_the_certificate_it_is_bound_to():
    service.forget()
    answer = ask(bound(named), named, TOKENS)
    assert answer.status == 200, answer.body
    (request,) = service.requests
    assert request.get("authorization") is None
    told = facts(request)
    assert (told["subject"], told["binding"], told["key"], told["client"]) == ("builder", "mtls", named.thumbprint, "c-1"), told


@rows([
    ("with another certificate", lambda: ask(bound(named), builder, TOKENS), "token_certificate", 401),
    ("bound to nothing", lambda: ask([("Authorization", "Bearer " + idp.token())], named, TOKENS), "token_bearer", 401),
    ("bound to a key, without its proof", lambda: ask([("Authorization", "Bearer " + idp.token(holder))], named, TOKENS), "token_bearer",
     401),
    ("bound to both, without the proof", lambda: ask([("Authorization", "Bearer " + idp.token(
        cnf={"jkt": holder.thumbprint, "x5t#S256": named.thumbprint}))], named, TOKENS), "token_bearer", 401),
    ("without a certificate", lambda: ask(bound(named), None, TOKENS), "token_bearer", 401),
    ("outdated", lambda: ask(bound(named, exp=1700000000), named, TOKENS), "token_expired", 401),
    ("of nobody we trust", lambda: ask(bound(named, iss="https://evil.test"), named, TOKENS), "token_untrusted", 401),
])
def a_token_that_is_not_the_certificates_is_refused(row):
    service.forget()
    answer = row[1]()
    refused(answer, *row[2:])
    assert 'error="invalid_token"' in answer.get("www-authenticate"), answer.fields
    assert not service.requests


@rows([
    ("twice", lambda t: t + t, "token_repeated", 400),
    ("behind another", lambda t: [("Authorization", "Basic eDp5")] + t, "token_repeated", 400),
    ("behind a tab", lambda t: [(n, v.replace(" ", "\t")) for n, v in t], "token_malformed", 401),
    ("of no length", lambda t: [("Authorization", "bearer")], "token_malformed", 401),
])
def a_stolen_token_does_not_ride_along_under_the_thiefs_own_name(row):
    service.forget()
    refused(ask(row[1](bound(builder)), named, TOKENS), *row[2:])
    assert ask([("Authorization", "Basic eDp5")], named, TOKENS).status == 200, "what is the service's own affair"
    assert len(service.requests) == 1


@promise
def a_token_may_be_bound_to_key_and_certificate():
    token = idp.token(cnf={"jkt": holder.thumbprint, "x5t#S256": named.thumbprint})
    assert ask(shown(holder, token, URL), named, TOKENS).status == 200
    refused(ask(shown(holder, token, URL), builder, TOKENS), "token_certificate", 401)
    refused(ask(shown(holder, token, URL), None, TOKENS), "token_certificate", 401)


# ---- signatures

@promise
def what_the_workload_asks_arrives_signed():
    service.forget()
    marks = sidecar.mark(), gate.mark()
    done = curl(sidecar.proxy, sidecar.bundle, "-d", "a=1", URL + "?tenant=7")
    assert done.returncode == 0 and json.loads(done.stdout)["target"] == "/v1/orders/7?tenant=7", (done.stdout, done.stderr)
    (request,) = service.requests
    told = facts(request)
    assert (told["workload"], told["binding"], told["grant"]) == (WORKLOAD, "httpsig", "tests"), told
    assert request.get("signature") is None and request.get("signature-input") is None and request.get("workload-identity-token") is None
    (sent,), (taken,) = sidecar.wait_requests(1, marks[0]), gate.wait_requests(1, marks[1])
    assert sent["binding"] == taken["binding"] == "httpsig" and sent["proof"] == taken["proof"] and sent["key"] == taken["key"], (sent, taken)


@promise
def one_proof_does_not_stand_in_for_another():
    signer = jose.Issuer()
    wit = signer.wit(holder)
    refused(ask([("Workload-Identity-Token", wit), ("Workload-Proof-Token", jose.wpt(holder, wit, URL))], at=SIGNED), "signature_missing", 400)
    refused(ask([("Signature", "wimse=:AAAA:"), ("Signature-Input", 'wimse=("@method")'), ("Workload-Identity-Token", wit)], at=WIMSE),
            "proof_missing", 400)
    refused(ask(shown(holder, idp.token(holder), URL), at=WIMSE), "token_missing", 400)


main()
