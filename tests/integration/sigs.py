"""HTTP message signatures of the test's own making (RFC 9421): what ours are held against, and what answers bear."""

import base64
import hashlib
import os
import re
import time

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

WIMSE = "wimse-workload-to-workload"


def std64(data):
    return base64.b64encode(data).decode()


def content_digest(body):
    return f"sha-256=:{std64(hashlib.sha256(body).digest())}:"


def value(component, message, request=None):
    """message and request: {"method", "target", "host", "status", "fields": [(lower-case name, value)…]}."""
    name, _, more = component.partition(";")
    name = name.strip('"')
    source = request if more == "req" else message
    derived = {"@method": "method", "@request-target": "target", "@authority": "host", "@status": "status"}
    if name == "@target-uri":
        return f"https://{source['host']}{source['target']}"
    if name in derived:
        return str(source[derived[name]])
    found = [v for n, v in source["fields"] if n.lower() == name]
    assert found, f"{component} is not in the message"
    return ", ".join(found)


def base(components, params, message, request=None):
    lines = [f"{c}: {value(c, message, request)}" for c in components]
    return "\n".join([*lines, f'"@signature-params": {params}']).encode()


def sign(key, components, said, message, request=None, label="wimse"):
    """The two fields; key is a jose.Key."""
    params = f"({' '.join(components)}){said}"
    r, s = decode_dss_signature(key.private.sign(base(components, params, message, request), ec.ECDSA(hashes.SHA256())))
    return [("signature-input", f"{label}={params}"), ("signature", f"{label}=:{std64(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}:")]


def verify(public_key, message, label, size=32, algorithm=hashes.SHA256()):
    """Whether this label's signature is this key's over the message; and what it covers, and says."""
    fields = dict(message["fields"])
    params = re.fullmatch(rf"{label}=(.*)", fields["signature-input"])[1]
    raw = base64.b64decode(re.fullmatch(rf"{label}=:(.*):", fields["signature"])[1])
    components = re.findall(r'"[^"]*"', params[:params.index(")")])
    der = encode_dss_signature(int.from_bytes(raw[:size], "big"), int.from_bytes(raw[size:], "big"))
    public_key.verify(der, base(components, params, message), ec.ECDSA(algorithm))
    said = dict(re.findall(r';([a-z-]+)="?([^;"]*)"?', params[params.index(")"):]))
    return [c.strip('"') for c in components], said


def times(nonce=None, created=None):
    now = int(time.time()) if created is None else created
    return f';created={now};expires={now + 60};nonce="{nonce or std64(os.urandom(12))}"'
