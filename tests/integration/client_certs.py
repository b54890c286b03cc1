"""Client certificates: an authority that makes them, the files Holdfast reads them from, and services that ask for them."""

import base64
import hashlib
import os
import shutil
import ssl

from cryptography.x509.oid import ExtendedKeyUsageOID

import certs
from holdfast import PROXY_UID


def x5t(der):
    """RFC 8705 section 3.1."""
    return base64.urlsafe_b64encode(hashlib.sha256(der).digest()).rstrip(b"=").decode()


def thumbprint_of(pem):
    return x5t(ssl.PEM_cert_to_DER_cert(pem.decode()))


class Clients:
    """One authority of clients, and what it has signed."""

    def __init__(self, ws, name="clients-ca"):
        self.folder = ws.directory(name, owner=0, mode=0o700)
        self.authority = certs.Authority(self.folder, name)
        self.file = ws.file(f"{name}.pem", open(self.authority.file, "rb").read())
        self.count = 0

    def make(self, *names, usage=ExtendedKeyUsageOID.CLIENT_AUTH, **more):
        self.count += 1
        return Client(self.authority.leaf(f"client-{self.count}", list(names), usage=usage, **more))


class Client:
    def __init__(self, leaf):
        self.leaf = leaf
        with open(leaf.certificate, "rb") as f:
            self.certificate = f.read()
        with open(leaf.key, "rb") as f:
            self.key = f.read()
        self.thumbprint = thumbprint_of(self.certificate)


class Kept:
    """The two files of one credential, as Holdfast finds them, and the ways in which they are changed."""

    def __init__(self, ws, name, client=None):
        self.folder = ws.directory(f"kept-{name}", owner=0)
        self.certificate = os.path.join(self.folder, "tls.crt")
        self.key = os.path.join(self.folder, "tls.key")
        self.volume = 0
        if client is not None:
            self.put(client)

    def thumbprint(self):
        with open(self.certificate, "rb") as f:
            return thumbprint_of(f.read())

    def put(self, client):
        """One file after the other, each whole: written beside its place, then renamed."""
        self.put_file(self.certificate, client.certificate, 0o644)
        self.put_file(self.key, client.key, 0o440)

    @staticmethod
    def put_file(path, data, mode):
        Kept.write(path + ".new", data, mode)
        os.rename(path + ".new", path)

    @staticmethod
    def write(path, data, mode):
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as f:
            f.write(data)
        os.chown(path, 0, PROXY_UID)
        os.chmod(path, mode)

    def overwrite(self, client):
        """In place: for a moment each of them is half of what it was, or will be."""
        self.write(self.certificate, client.certificate, 0o644)
        self.write(self.key, client.key, 0o440)

    def swap(self, client):
        """As kubelet changes a Secret volume: both at once, by one link."""
        self.volume += 1
        fresh = os.path.join(self.folder, f"..{self.volume}")
        os.mkdir(fresh)
        self.write(os.path.join(fresh, "tls.crt"), client.certificate, 0o644)
        self.write(os.path.join(fresh, "tls.key"), client.key, 0o440)
        os.symlink(f"..{self.volume}", os.path.join(self.folder, "..data_tmp"))
        os.rename(os.path.join(self.folder, "..data_tmp"), os.path.join(self.folder, "..data"))
        for path in (self.certificate, self.key):
            if not os.path.islink(path):
                os.symlink(os.path.join("..data", os.path.basename(path)), path + ".new")
                os.rename(path + ".new", path)
        shutil.rmtree(os.path.join(self.folder, f"..{self.volume - 1}"), ignore_errors=True)

    def credential(self, name):
        return f"""
  {name} = {{ owner = "platform@example"; approved_by = "iam@example"; ticket = "SEC-107"; rotate_every = "30d";
    privileges = "be {name}";
    source = {{ kind = "certificate"; certificate = "{self.certificate}"; key = "{self.key}"; }}; }};"""


def asking(leaf, clients=None, mode=ssl.CERT_OPTIONAL, maximum=None, alpn="http/1.1"):
    """How a service's TLS asks its clients for certificates of these authorities; None: it does not."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(leaf.certificate, leaf.key)
    context.set_alpn_protocols([alpn])
    if maximum is not None:
        context.maximum_version = maximum
    if clients is not None:
        context.verify_mode = mode
        context.load_verify_locations(clients.file)
    return context


def shown(sock):
    """The thumbprint of what the client showed on this connection; None: nothing."""
    der = sock.getpeercert(binary_form=True)
    return x5t(der) if der else None
