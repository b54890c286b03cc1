"""Access tokens and DPoP proofs of the tests' own making, right ones and wrong ones, and a gate that takes them."""

import os
import time

import jose
from holdfast import PROXY_UID

AUDIENCE = "https://orders.test"


class Issuer:
    """Whose access tokens a gate may believe."""

    def __init__(self, name="https://as.test", kid="as-1"):
        self.name, self.key = name, jose.Key(kid)

    @property
    def jwks(self):
        return {"keys": [{**self.key.jwk, "kid": self.key.kid, "alg": "ES256", "use": "sig"}]}

    def claims(self, holder=None, **changes):
        now = int(time.time())
        told = {"iss": self.name, "aud": AUDIENCE, "sub": "builder", "client_id": "c-1", "scope": "orders:read orders:write",
                "iat": now - 600, "exp": now + 3600, "jti": jose.b64(os.urandom(12))}
        if holder is not None:
            told["cnf"] = {"jkt": holder.thumbprint}
        return jose.changed(told, changes)

    def token(self, holder=None, header=None, key=None, **changes):
        return (key or self.key).sign(jose.changed({"typ": "at+jwt", "alg": "ES256", "kid": self.key.kid}, header),
                                      self.claims(holder, **changes))


def proof(holder, token, url, method="GET", header=None, **changes):
    told = {"htm": method, "htu": url.partition("?")[0], "iat": int(time.time()), "jti": jose.b64(os.urandom(12)),
            "ath": jose.digest(token)}
    return holder.sign(jose.changed({"typ": "dpop+jwt", "alg": "ES256", "jwk": holder.jwk}, header), jose.changed(told, changes))


def shown(holder, token, url, scheme="DPoP", **more):
    return [("Authorization", f"{scheme} {token}"), ("DPoP", proof(holder, token, url, **more))]


def door(leaf, listen, service, issuers, rules, more='accept = ["dpop"];'):
    return f"""{{ kind = "gate"; listen = "{listen}"; certificate = "{leaf.certificate}"; key = "{leaf.key}";
    names = ["https://orders.test"]; upstream = "http://127.0.0.1:{service.port}"; {more}
    issuers = ( {issuers} ); rules = ( {rules} ); }}"""


def rule(more=""):
    return f'{{ methods = "any"; paths = "any"; subjects = "any"; grants = "any"; purposes = "any"; {more} }}'


def leaf_for(ws, *names):
    leaf = ws.leaf(*names)
    os.chown(leaf.key, PROXY_UID, PROXY_UID)
    return leaf
