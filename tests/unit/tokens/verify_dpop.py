#!/usr/bin/python3
"""A second stranger's judgement on a DPoP proof, with python3-jwcrypto: RFC 9449, step by step.

In: {"authorization", "dpop", "method", "url", "now", "thumbprint"}. Out: {"ok": true} and exit 0, or {"ok": false,
"error"} and exit 1. 77: no jwcrypto here.
"""
import base64
import hashlib
import json
import sys

try:
    from jwcrypto import jwk, jws
except ImportError:
    sys.exit(77)


def main():
    doc = json.load(sys.stdin)
    proof = jws.JWS()
    proof.allowed_algs = ["ES256"]
    proof.deserialize(doc["dpop"])
    header = json.loads(proof.objects["protected"])
    assert header["typ"] == "dpop+jwt", "the type"
    key = jwk.JWK(**header["jwk"])
    assert not key.has_private, "the key is private"
    assert key.thumbprint() == doc["thumbprint"], "the thumbprint"
    proof.verify(key)
    claims = json.loads(proof.payload)
    scheme, token = doc["authorization"].split(" ")
    ath = base64.urlsafe_b64encode(hashlib.sha256(token.encode()).digest()).rstrip(b"=").decode()
    assert scheme == "DPoP", "the scheme"
    assert claims["ath"] == ath, "ath"
    assert claims["htm"] == doc["method"], "htm"
    assert claims["htu"] == doc["url"].split("?")[0], "htu"
    assert abs(claims["iat"] - doc["now"]) <= 60, "iat"
    assert len(claims["jti"]) >= 16, "jti"


try:
    main()
    print(json.dumps({"ok": True}))
except Exception as error:
    print(json.dumps({"ok": False, "error": repr(error)}))
    sys.exit(1)
