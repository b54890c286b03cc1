"""The orders service behind the gate. It leaks: it answers with the credentials it was sent. Before it serves it makes, as a service's
owner would, a CA and a certificate for the gate."""

import http.server
import json
import os
import subprocess

TRUST, GATE = "/pki/trust/ca.pem", "/pki/gate"
CREDENTIALS = ("authorization", "workload-identity-token", "workload-proof-token")


def openssl(*words):
    subprocess.run(["openssl", *words], check=True, stderr=subprocess.DEVNULL)


def make_certificates():
    """The CA's key is forgotten at once: nothing else is ever signed by it."""
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    signing = "/tmp/ca.key"
    openssl("req", "-x509", *key, "-days", "30", "-subj", "/CN=services of the story", "-keyout", signing, "-out", "/tmp/ca.pem",
            "-addext", "keyUsage=critical,keyCertSign,cRLSign")
    openssl("req", "-x509", *key, "-days", "30", "-subj", "/CN=orders.example", "-keyout", f"{GATE}/gate.key", "-out",
            f"{GATE}/gate.pem", "-CA", "/tmp/ca.pem", "-CAkey", signing, "-addext", "subjectAltName=DNS:orders.example", "-addext",
            "basicConstraints=critical,CA:FALSE", "-addext", "extendedKeyUsage=serverAuth")
    os.chmod(f"{GATE}/gate.key", 0o600)
    os.remove(signing)
    with open("/tmp/ca.pem", encoding="ascii") as f, open(TRUST, "w", encoding="ascii") as out:
        out.write(f.read())


class Orders(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self):
        told = {"order": self.path.rpartition("/")[2], "state": "shipped",
                "told": {name.lower(): value for name, value in self.headers.items() if name.lower().startswith("x-holdfast-")},
                "leaked": {name.lower(): value for name, value in self.headers.items() if name.lower() in CREDENTIALS}}
        body = json.dumps(told).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_DELETE = answer


make_certificates()
http.server.ThreadingHTTPServer(("0.0.0.0", 8080), Orders).serve_forever()
