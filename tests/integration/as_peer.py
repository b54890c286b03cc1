"""A real authorization server, oidc-provider, and a real resource server's judgement, oauth4webapi: by other hands, each told in
JSON what it needs. Where they are not installed a test says so by name."""

import base64
import json
import os
import ssl
import subprocess
import time
import urllib.parse

import jose
from client import Channel, connect
from holdfast import ROOT, Skip
from strangers import Service, tool

FOLDER = os.path.join(ROOT, "tests/node")
INTROSPECT, REVOKE = "/token/introspection", "/token/revocation"
DETAILS = "https://holdfast.dev/rar/grant"


def needs(*packages):
    """The command that runs a script of tests/node with these packages, or a Skip."""
    for package in packages:
        if not os.path.isdir(os.path.join(FOLDER, "node_modules", package)):
            raise Skip(f"there is no {package} (npm ci in tests/node)")
    return [tool("node"), "--no-warnings"]


def client(client_id, auth="client_secret_basic", **more):
    """What the server is told of a client (RFC 7591's names)."""
    return {"client_id": client_id, "token_endpoint_auth_method": auth, **more}


class Provider(Service):
    """oidc-provider at https://NAME; it ends with us. What happened there, it tells in `calls`."""

    def __init__(self, ws, address, name, clients, resources, port=443, clients_ca=None, nonce=True, life=600, subjects=None):
        self.address, self.trust = address, ws.ca.file
        leaf = ws.leaf(name)
        node = needs("oidc-provider", "jose")
        told = {"address": address, "port": port, "name": name, "certificate": leaf.certificate, "key": leaf.key,
                "clients_ca": clients_ca, "nonce": nonce, "life": life, "clients": clients, "resources": resources,
                "subjects": subjects}
        super().__init__([*node, os.path.join(FOLDER, "as_provider.mjs")], json.dumps(told) + "\n")
        self.name = name
        self.issuer = f"https://{name}" + ("" if self.port == 443 else f":{self.port}")

    def events(self, event):
        return [c.told for c in list(self.calls) if c.told["event"] == event]

    def mark(self):
        """How much it has told, when it has told of everything until now."""
        since = len(self.calls)
        self.ask("GET", "/mark")
        return len(self.wait(lambda calls: any(c.told["event"] == "mark" for c in calls[since:]), "the mark"))

    def ask(self, method, path, form=None, who=None):
        """Anybody's question, by hand."""
        body = None if form is None else urllib.parse.urlencode(form).encode()
        fields = [("Content-Type", "application/x-www-form-urlencoded")] if form else []
        if who is not None:
            fields.append(("Authorization", "Basic " + base64.b64encode(":".join(who).encode()).decode()))
        with Channel(connect(self.address, self.port, uid=0)) as c:
            c.start_tls(ssl.create_default_context(cafile=self.trust), self.name)
            return c.request(method, path, self.issuer.removeprefix("https://"), fields, body)

    def introspect(self, token, who):
        answer = self.ask("POST", INTROSPECT, {"token": token}, who)
        assert answer.status == 200, (answer.status, answer.body)
        return answer.json()

    def jwks(self):
        return self.ask("GET", "/jwks").json()


def row(request, origin, **changed):
    """One request as the service had it, for the resource server to judge."""
    return {"now": int(time.time()), "method": request.method, "url": origin + request.target,
            "authorization": request.get("authorization"), "dpop": request.get("dpop"), **changed}


def judged(provider, audience, rows):
    """What oauth4webapi says of each."""
    server = {"issuer": provider.issuer, "jwks": provider.jwks(), "audience": audience}
    doc = {"rows": [{**server, **r} for r in rows]}
    done = subprocess.run([*needs("oauth4webapi"), os.path.join(FOLDER, "verify_dpop.mjs")], input=json.dumps(doc).encode(),
                          capture_output=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr.decode()
    return json.loads(done.stdout)["rows"]


def token_of(request):
    """(scheme, token, the proof's claims or None)"""
    scheme, _, token = request.get("authorization").partition(" ")
    proof = request.get("dpop")
    return scheme, token, jose.parts(proof)[1] if proof else None
