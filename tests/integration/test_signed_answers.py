"""Requests that are signed (RFC 9421, the WIMSE profile), and answers that have to be: signed over themselves and over the
request they answer, their bodies by a digest that is checked as they pass. What is not, the client does not hear, or cannot
take for whole; by either HTTP, on either side."""

import json
import re

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

import jose
import sigs
from h2_origin import H2Origin
from h2_scene import Asking
from holdfast import (ADDRESSES, CREDENTIAL, Closed, Holdfast, Origin, PROXY_UID, PUBLIC, PUBLIC2, Workspace, forward_config, hosts, main,
                      own_network, promise, rows)

own_network(ADDRESSES)
ws = Workspace()
issuer, holder, thief = jose.Issuer("services.example"), jose.Key(), jose.Key()
BODY = b"0123456789abcdef" * 64
COVERED = ['"@status"', '"workload-identity-token"', '"content-type"', '"content-digest"', '"@method";req', '"@request-target";req']
jwks = ws.file("services.jwks.json", json.dumps({"keys": [issuer.public_jwk]}))
spoil = {}          # what is done to the next answers


def asked(method, target, fields):
    return {"method": method, "target": target, "host": spoil["host"], "fields": [(n, v) for n, v in fields if not n.startswith(":")]}


def signed_plainly(request, body):
    """By a key that is known by its id, over the request's parts."""
    message = {"status": 200, "fields": [("content-digest", sigs.content_digest(body))]}
    covers = ['"@status"', '"content-digest"', '"@method";req', '"@target-uri";req', '"content-digest";req']
    told = sigs.sign(spoil.get("key", holder), spoil.get("covers", covers), sigs.times() + ';keyid="service-1"', message, request, "sig9")
    return 200, message["fields"] + told


def signed(request, body):
    """Status and fields of an answer to this request; how it is wrong is in `spoil`."""
    if request["host"] == "three.test":
        return signed_plainly(request, body)
    nonce = re.search(r';nonce="([^"]*)"', dict(request["fields"])["signature-input"])[1]
    wit = issuer.wit(holder, claims={"sub": "spiffe://services.example/orders"})
    message = {"status": 200, "fields": [("workload-identity-token", wit), ("content-type", "text/plain"),
                                         ("content-digest", sigs.content_digest(body))]}
    said = sigs.times(created=spoil.get("created")) + f';tag="{sigs.WIMSE}";wimse-req-nonce="{spoil.get("nonce", nonce)}"'
    told = sigs.sign(spoil.get("key", holder), spoil.get("covers", COVERED), said, message, {**request, **spoil.get("asked", {})})
    fields = [(n, v) for n, v in message["fields"] + told if n not in spoil.get("without", ())]
    return spoil.get("status", 200), [(n, spoil.get("changed", {}).get(n, v)) for n, v in fields]


def answer_h1(connection, request):
    connection.read_body(request)
    if spoil.get("early"):
        connection.send(b"HTTP/1.1 103 Early Hints\r\nLink: </unsigned.css>; rel=preload\r\n\r\n")
    status, fields = signed(asked(request.method, request.target, request.fields), spoil["body"])
    sent = spoil.get("sent", spoil["body"])
    if request.method == "HEAD" or not spoil.get("chunked"):
        connection.reply(status, b"" if request.method == "HEAD" else sent,
                         [*fields, *([("Content-Length", str(len(sent)))] if request.method == "HEAD" else [])])
        return
    head = f"HTTP/1.1 {status} Whatever\r\nTransfer-Encoding: chunked\r\n" + "".join(f"{n}: {v}\r\n" for n, v in fields)
    connection.send(head.encode() + b"\r\n" + f"{len(sent):x}\r\n".encode() + sent + b"\r\n0\r\n" + spoil.get("trailers", b"") + b"\r\n")


def answer_h2(stream):
    stream.answer()
    status, fields = signed(asked(stream.method, stream.target, stream.fields), spoil["body"])
    sent = spoil.get("sent", spoil["body"])
    length = [] if spoil.get("chunked") else [("content-length", str(len(sent)))]
    stream.reply(status, b"" if stream.method == "HEAD" else sent, [*fields, *length])


services = {"one.test": Origin(PUBLIC, 443, ws.leaf("one.test", "three.test"), answer=answer_h1),
            "two.test": H2Origin(PUBLIC2, 443, ws.leaf("two.test"), answer=answer_h2)}
SIGNATURE = f"""credential = "orders"; bind = ["httpsig"]; inject = "always"; upstream_trust = "{ws.ca.file}"; signature = {{
  response = "verify"; response_trust = ( {{ domain = "services.example"; jwks_file = "{jwks}";
  subjects = ["spiffe://services.example/*"]; }} ); }};"""
RULES = ", ".join(f'{{ host = "{host}"; methods = "any"; paths = "any"; {SIGNATURE} }}' for host in services)
partner = ec.generate_private_key(ec.SECP384R1())
partner_file = ws.file("partner.pem", partner.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode(),
                       mode=0o400, owner=PROXY_UID)
service_jwks = ws.file("service.jwks.json", json.dumps({"keys": [{**holder.jwk, "kid": "service-1"}]}))
CREDENTIALS = CREDENTIAL.replace("credentials = {", f"""credentials = {{
  partner = {{ owner = "orders-team@example"; approved_by = "iam@example"; ticket = "SEC-102"; rotate_every = "90d";
              privileges = "write orders"; source = {{ kind = "key"; path = "{partner_file}"; key_id = "partner-1"; }}; }};""")
PLAIN = f"""{{ host = "three.test"; methods = "any"; paths = "any"; credential = "partner"; bind = ["httpsig"]; inject = "always";
  upstream_trust = "{ws.ca.file}"; signature = {{ components = ["@method", "@target-uri", "content-digest", "content-type"];
  tag = "orders"; alg = true; response = "verify"; response_jwks_file = "{service_jwks}"; }}; }}"""
h = Holdfast(ws, forward_config(RULES + ", " + PLAIN, names=hosts(one_test=PUBLIC, two_test=PUBLIC2, three_test=PUBLIC),
                                credentials=CREDENTIALS, limits='body_digest = "64k";'))
with open(h.jwks, encoding="utf-8") as f:
    issued = json.load(f)["keys"][0]
WAYS = [(f"{client}-{host[:3]}", client, host) for client in ("h1", "h2") for host in services]


def ask(client, host, method="GET", path="/v1/things?a=1", body=None, fields=(), **how):
    spoil.clear()
    spoil.update({"body": BODY, "host": host, **how})
    return Asking(h, client, host)(method, path, list(fields), body)


# name, how the answer is spoilt
REFUSED = [
    ("by-another-key", {"key": thief}, "answer_signature"),
    ("of-another-request", {"asked": {"target": "/v1/things?a=2"}}, "answer_signature"),
    ("of-another-method", {"asked": {"method": "DELETE"}}, "answer_signature"),
    ("older", {"nonce": "of-an-older-request"}, "answer_signature"),
    ("expired", {"created": 1700000000}, "answer_signature"),
    ("with-another-status", {"status": 201}, "answer_signature"),
    ("with-another-type", {"changed": {"content-type": "text/html"}}, "answer_signature"),
    ("with-another-digest", {"changed": {"content-digest": sigs.content_digest(b"")}}, "answer_signature"),
    ("without-the-digest", {"covers": [c for c in COVERED if "digest" not in c], "without": ("content-digest",)}, "answer_signature"),
    ("without-the-request", {"covers": COVERED[:4]}, "answer_signature"),
    ("without-a-token", {"covers": [c for c in COVERED if "token" not in c], "without": ("workload-identity-token",)}, "answer_signature"),
    ("half-signed", {"without": ("signature",)}, "answer_signature"),
    ("unsigned", {"without": ("signature", "signature-input")}, "answer_unsigned"),
]
TABLE = [(f"{way[0]}-{name}", way, how, reason) for way in WAYS for name, how, reason in REFUSED]


@rows(WAYS)
def a_request_is_signed_and_its_signed_answer_comes_whole(row):
    _, client, host = row
    for method, body in (("GET", None), ("POST", b'{"item":1}'), ("HEAD", None)):
        for chunked in (False, True):
            mark, before = h.mark(), len(services[host].requests)
            answer = ask(client, host, method, body=body, chunked=chunked)
            assert (answer.status, answer.body) == (200, b"" if method == "HEAD" else BODY), (answer.status, answer.reason)
            request = services[host].requests[before]
            message = asked(request.method, request.target, request.fields)
            wit = dict(message["fields"])["workload-identity-token"]
            jwk = jose.parts(wit)[1]["cnf"]["jwk"]
            assert jose.verify(wit, issued)
            key = ec.EllipticCurvePublicNumbers(*(int.from_bytes(jose.unb64(jwk[c]), "big") for c in "xy"), ec.SECP256R1()).public_key()
            covers, said = sigs.verify(key, message, "wimse")
            assert {"@method", "@request-target", "workload-identity-token"} <= set(covers) and ("content-digest" in covers) == (body is not None)
            if body is not None:
                assert dict(message["fields"])["content-digest"] == sigs.content_digest(body)
            assert said["tag"] == sigs.WIMSE and said["wimse-aud"] == f"https://{host}", said
            (line,) = h.wait_requests(1, mark)
            assert (line["binding"], line["proof"]) == ("httpsig", said["nonce"]), line


@rows(TABLE)
def an_answer_that_is_not_signed_as_it_should_be_is_not_heard(row):
    _, (_, client, host), how, reason = row
    mark = h.mark()
    answer = ask(client, host, **how)
    assert (answer.status, answer.reason) == (502, reason), (answer.status, answer.reason)
    assert BODY[:16] not in answer.body and not [v for n, v in answer.fields if n.lower() == "signature"]
    (line,) = h.wait_requests(1, mark)
    assert (line["status"], line["reason"]) == (502, reason), line


@rows([(f"{way[0]}-{framing}-{name}", way, framing, sent) for way in WAYS for framing in ("length", "chunked")
       for name, sent in (("last-byte", BODY[:-1] + b"!"), ("first-byte", b"!" + BODY[1:]), ("longer", BODY + b"!"), ("shorter", BODY[:-1]))])
def a_body_that_was_not_signed_cannot_be_taken_for_whole(row):
    _, (_, client, host), framing, sent = row
    mark = h.mark()
    try:
        ask(client, host, sent=sent, chunked=framing == "chunked")
    except (Closed, AssertionError, ConnectionError) as e:
        cut = str(e)
    else:
        raise AssertionError("it came whole")
    (line,) = h.wait_requests(1, mark)
    assert (line["reason"], line["status"]) == ("answer_digest", 200), (line, cut)


@rows([(f"{way[0]}-{name}", way, size, fields) for way in WAYS
       for name, size, fields in (("too-long", 65537, ()), ("unknown", 10, [("Transfer-Encoding", "chunked")]))])
def a_body_that_cannot_be_covered_is_not_sent(row):
    name, (_, client, host), size, _ = row
    before = len(services[host].requests)
    spoil.clear()
    spoil.update({"body": BODY, "host": host})
    answer = Asking(h, client, host)("POST", "/v1/things", [], b"x" * size, unknown=name.endswith("unknown"))
    assert (answer.status, answer.reason) == (413, "body_not_covered"), (answer.status, answer.reason)
    assert len(services[host].requests) == before


@promise
def who_waits_for_100_is_told_to_go_on_and_the_body_is_covered():
    spoil.clear()
    spoil.update({"body": BODY, "host": "one.test"})
    answer = Asking(h, "h1", "one.test")("POST", "/v1/things", [], b"x" * 100, expect=True)
    assert answer.status == 200 and answer.body == BODY
    fields = dict(services["one.test"].requests[-1].fields)
    assert fields["content-digest"] == sigs.content_digest(b"x" * 100) and "expect" not in fields


@promise
def what_no_signature_covers_is_not_passed_on():
    answer = ask("h1", "one.test", early=True, chunked=True, trailers=b"X-Unsigned: 1\r\n")
    assert (answer.status, answer.body, answer.interim, answer.trailers) == (200, BODY, [], []), vars(answer)


@promise
def a_key_of_the_operator_signs_and_the_answer_is_signed_by_a_key_that_is_known():
    service, body = services["one.test"], b'{"item":1}'
    mark, before = h.mark(), len(service.requests)
    answer = ask("h1", "three.test", "POST", body=body, fields=[("Content-Type", "application/json")])
    assert (answer.status, answer.body) == (200, BODY), answer.reason
    request = service.requests[before]
    message = asked(request.method, request.target, request.fields)
    covers, said = sigs.verify(partner.public_key(), message, "sig1", size=48, algorithm=hashes.SHA384())
    assert covers == ["@method", "@target-uri", "content-digest", "content-type"], covers
    assert (said["keyid"], said["alg"], said["tag"]) == ("partner-1", "ecdsa-p384-sha384", "orders"), said
    assert request.get("workload-identity-token") is None and request.get("content-digest") == sigs.content_digest(body)
    (line,) = h.wait_requests(1, mark)
    assert (line["binding"], line["proof"]) == ("httpsig", said["nonce"]), line
    for how in ({"key": thief}, {"covers": ['"@status"', '"content-digest"']}):
        answer = ask("h1", "three.test", "POST", body=body, **how)
        assert (answer.status, answer.reason) == (502, "answer_signature"), (how, answer.reason)


def end():
    h.stop()
    ws.remove()


main(end)
