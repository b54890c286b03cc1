"""Tokens of the test's own making: an authority, workloads' keys, WITs and WPTs, right ones and wrong ones."""

import base64
import hashlib
import json
import os
import ssl
import time

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

CONTEXT = "https://holdfast.dev/claims/ctx"
REQUEST = "https://holdfast.dev/claims/req"


def b64(data):
    if isinstance(data, str):
        data = data.encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def unb64(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def digest(text):
    return b64(hashlib.sha256(text if isinstance(text, bytes) else text.encode()).digest())


def parts(token):
    """(header, claims) of a compact JWS."""
    header, claims, _ = token.split(".")
    return json.loads(unb64(header)), json.loads(unb64(claims))


def verify(token, jwk):
    """Whether this ES256 token was signed by that public key."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
    numbers = ec.EllipticCurvePublicNumbers(*(int.from_bytes(unb64(jwk[c]), "big") for c in "xy"), ec.SECP256R1())
    signed, _, signature = token.rpartition(".")
    raw = unb64(signature)
    der = encode_dss_signature(int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big"))
    try:
        numbers.public_key().verify(der, signed.encode(), ec.ECDSA(hashes.SHA256()))
        return len(raw) == 64
    except InvalidSignature:
        return False


class Key:
    def __init__(self, kid=None):
        self.private = ec.generate_private_key(ec.SECP256R1())
        n = self.private.public_key().public_numbers()
        self.kid = kid
        self.jwk = {"kty": "EC", "crv": "P-256", "x": b64(n.x.to_bytes(32, "big")), "y": b64(n.y.to_bytes(32, "big"))}

    @property
    def thumbprint(self):
        return digest(json.dumps({k: self.jwk[k] for k in ("crv", "kty", "x", "y")}, separators=(",", ":")))

    def sign(self, header, claims):
        text = claims if isinstance(claims, str) else json.dumps(claims)
        signed = b64(json.dumps(header)) + "." + b64(text)
        return signed + "." + b64(self.sign_raw(signed.encode()))

    def sign_raw(self, data):
        r, s = decode_dss_signature(self.private.sign(data, ec.ECDSA(hashes.SHA256())))
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def certificate_jwk(pem, kid="own"):
    """The public key of a certificate, as a JWK that lists it (RFC 7517 section 4.7)."""
    n = x509.load_pem_x509_certificate(pem).public_key().public_numbers()
    return {"kty": "EC", "crv": "P-256", "x": b64(n.x.to_bytes(32, "big")), "y": b64(n.y.to_bytes(32, "big")), "kid": kid,
            "x5c": [base64.b64encode(ssl.PEM_cert_to_DER_cert(pem.decode())).decode()]}


def changed(values, changes):
    """A copy with these changes; a change to None takes the member out."""
    merged = {**values, **(changes or {})}
    return {k: v for k, v in merged.items() if v is not None}


class Issuer:
    """An authority of a trust domain."""

    def __init__(self, domain="prod.example", kid="tests"):
        self.domain = domain
        self.key = Key(kid)

    @property
    def public_jwk(self):
        return {**self.key.jwk, "kid": self.key.kid, "alg": "ES256", "use": "sig"}

    def wit(self, holder, header=None, claims=None, key=None, **context):
        now = int(time.time())
        told = {"grant": "tests", "owner": "tests@example", "purpose": "testing", "task": "t-1"}
        body = {"iss": f"spiffe://{self.domain}", "sub": f"spiffe://{self.domain}/ns/agents/sa/builder", "iat": now - 1,
                "exp": now + 600, "jti": b64(os.urandom(16)), "cnf": {"jwk": {**holder.jwk, "alg": "ES256"}},
                CONTEXT: changed(told, context)}
        return (key or self.key).sign(changed({"typ": "wit+jwt", "alg": "ES256", "kid": self.key.kid}, header),
                                      changed(body, claims))


def wpt(holder, wit, url, method="GET", body=None, header=None, claims=None, request=None, exp_in=30):
    """A proof for a request to this URL (its query is hashed, not named)."""
    target, _, query = url.partition("?")
    told = {"method": method, "query": digest(query) if "?" in url else None,
            "body": digest(body) if body is not None else None}
    told = changed(changed(told, {}), request)
    made = {"aud": target, "exp": int(time.time()) + exp_in, "jti": b64(os.urandom(16)), "wth": digest(wit), REQUEST: told}
    return holder.sign(changed({"typ": "wpt+jwt", "alg": "ES256"}, header), changed(made, claims))
