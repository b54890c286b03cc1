"""A thief: has all that a service was sent, and keys of his own; never a key of Holdfast's. What he makes of it."""

import base64
import re
import ssl
import time

import jose
from client import Channel, OTHER_UID, connect

_HOP = ("host", "content-length", "connection", "transfer-encoding", "accept-encoding")


class Loot:
    """One request as the service had it, and what the thief changes before he sends it."""

    def __init__(self, request, host):
        self.method, self.host = request.method, host
        self.path, mark, self.query = request.target.partition("?")
        self.query = mark + self.query
        self.body = request.body or None
        self.fields = [(n, v) for n, v in request.fields if n not in _HOP]

    def get(self, name):
        return next((v for n, v in self.fields if n == name), None)

    def without(self, *names):
        self.fields = [(n, v) for n, v in self.fields if n not in names]

    def put(self, name, value):
        self.without(name)
        self.fields.append((name, value))

    @property
    def url(self):
        return f"https://{self.host}{self.path}"

    def send(self, address, trust, pair=None, server_name=None):
        """From anywhere, straight to this address; pair: a client certificate of the thief's own."""
        context = ssl.create_default_context(cafile=trust)
        context.check_hostname = False
        if pair is not None:
            context.load_cert_chain(pair.leaf.certificate, pair.leaf.key)
        with Channel(connect(*address, uid=OTHER_UID)) as c:
            c.start_tls(context, server_name or self.host)
            return c.request(self.method, self.path + self.query, self.host, self.fields, self.body)


# ---- what he signs himself

def own_wpt(loot, key):
    wit = loot.get("workload-identity-token")
    loot.put("workload-proof-token", jose.wpt(key, wit, loot.url + loot.query, loot.method, loot.body))


def own_dpop(loot, key):
    token = loot.get("authorization").partition(" ")[2]
    claims = {"htm": loot.method, "htu": loot.url, "iat": int(time.time()), "jti": jose.b64(base64.b64decode("dGhpZWYhIQ==")),
              "ath": jose.digest(token)}
    loot.put("dpop", key.sign({"typ": "dpop+jwt", "alg": "ES256", "jwk": key.jwk}, claims))


def own_signature(loot, key):
    """RFC 9421 section 2.5, for the components that a request of ours is signed with."""
    label, _, params = loot.get("signature-input").partition("=")
    names = re.findall(r'"([^"]+)"', params[:params.index(")")])
    lines = [f'"{name}": {_component(loot, name)}' for name in names]
    base = "\n".join([*lines, f'"@signature-params": {params}'])
    header = key.sign_raw(base.encode())
    loot.put("signature", f"{label}=:{base64.b64encode(header).decode()}:")


def _component(loot, name):
    derived = {"@method": loot.method, "@target-uri": loot.url + loot.query, "@request-target": loot.path + loot.query,
               "@authority": loot.host, "@path": loot.path, "@query": loot.query or "?"}
    return derived.get(name) or loot.get(name)
