#!/usr/bin/python3
"""A second stranger's judgement, with python3-jwcrypto: are the signatures of token and proof good?

In: {"jwks", "wit", "wpt"}. Out: {"ok": true} and exit 0, or {"ok": false, "error"} and exit 1. 77: no jwcrypto here.
"""
import json
import sys

try:
    from jwcrypto import jwk, jws
except ImportError:
    sys.exit(77)


def claims_of(compact, key):
    token = jws.JWS()
    token.allowed_algs = ["ES256"]
    token.deserialize(compact, key)
    return json.loads(token.payload)


def main():
    doc = json.load(sys.stdin)
    [only] = doc["jwks"]["keys"]
    key = jwk.JWK(**only)
    assert key.thumbprint() == only["kid"], "the kid is not the thumbprint"
    claims = claims_of(doc["wit"], key)
    claims_of(doc["wpt"], jwk.JWK(**claims["cnf"]["jwk"]))
    try:
        claims_of(doc["wpt"], key)
    except jws.InvalidJWSSignature:
        return
    raise AssertionError("the proof verifies under the authority's key")


try:
    main()
    print(json.dumps({"ok": True}))
except Exception as error:
    print(json.dumps({"ok": False, "error": repr(error)}))
    sys.exit(1)
