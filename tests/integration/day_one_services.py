"""What the tools of the first day ask for, at addresses of a test: a package registry, an index, an archive, a repository that is
pushed to, an object store, events, sockets, gRPC. Everything asked is written down with how it was answered."""

import base64
import gzip
import hashlib
import io
import json
import os
import subprocess
import tarfile
import zipfile

import sockets
from h2_origin import H2Origin
from origin import Gone, Origin, echo

_CLOSE = 8         # a WebSocket frame's
NOTE = "what the package says"


def written(folder, name, content):
    path = os.path.join(folder, name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as f:
        f.write(content if isinstance(content, bytes) else content.encode())
    return path


# ---- packages of one line each

def npm_package():
    """A scoped one: {path: what is there}."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        for name, text in (("package.json", '{"name":"@day/one","version":"1.0.0","main":"one.js"}'),
                           ("one.js", f'module.exports = "{NOTE}";')):
            told = tarfile.TarInfo("package/" + name)
            told.size = len(text)
            tar.addfile(told, io.BytesIO(text.encode()))
    data = out.getvalue()
    dist = {"tarball": "https://npm.test/@day/one/-/one-1.0.0.tgz",
            "integrity": "sha512-" + base64.b64encode(hashlib.sha512(data).digest()).decode()}
    about = {"name": "@day/one", "dist-tags": {"latest": "1.0.0"},
             "versions": {"1.0.0": {"name": "@day/one", "version": "1.0.0", "main": "one.js", "dist": dist}}}
    return {"/@day%2Fone": json.dumps(about).encode(), "/@day/one/-/one-1.0.0.tgz": data}


def pip_package():
    out, about = io.BytesIO(), "one_day-1.0.dist-info"
    with zipfile.ZipFile(out, "w") as z:
        z.writestr("one_day.py", f'NOTE = "{NOTE}"\n')
        z.writestr(f"{about}/METADATA", "Metadata-Version: 2.1\nName: one-day\nVersion: 1.0\n")
        z.writestr(f"{about}/WHEEL", "Wheel-Version: 1.0\nGenerator: a test\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        z.writestr(f"{about}/RECORD", f"one_day.py,,\n{about}/METADATA,,\n{about}/WHEEL,,\n{about}/RECORD,,\n")
    wheel = "one_day-1.0-py3-none-any.whl"
    return {"/simple/one-day/": f'<!doctype html><a href="/files/{wheel}">{wheel}</a>'.encode(), f"/files/{wheel}": out.getvalue()}


def apt_package(folder):
    written(folder, "one-day/DEBIAN/control", "Package: one-day\nVersion: 1.0\nArchitecture: all\nMaintainer: nobody <nobody@example>\n"
                                              "Description: a note\n")
    written(folder, "one-day/usr/share/one-day/note", NOTE)
    file = os.path.join(folder, "one-day.deb")
    subprocess.run(["dpkg-deb", "--build", "--root-owner-group", os.path.join(folder, "one-day"), file], check=True, stdout=subprocess.DEVNULL)
    with open(file, "rb") as f:
        data = f.read()
    listed = subprocess.run(["dpkg-deb", "--field", file], check=True, capture_output=True, text=True).stdout
    listed += f"Filename: pool/one-day.deb\nSize: {len(data)}\nSHA256: {hashlib.sha256(data).hexdigest()}\n\n"
    packages = listed.encode()
    architecture = subprocess.run(["dpkg", "--print-architecture"], check=True, capture_output=True, text=True).stdout.strip()
    where = f"main/binary-{architecture}/Packages"
    release = (f"Suite: stable\nComponents: main\nArchitectures: {architecture}\nDate: Sun, 22 Nov 2026 00:00:00 UTC\n"
               f"SHA256:\n {hashlib.sha256(packages).hexdigest()} {len(packages)} {where}\n")
    return {"/dists/stable/Release": release.encode(), f"/dists/stable/{where}": packages, "/pool/one-day.deb": data}


# ---- a repository

def git(*words, **more):
    subprocess.run(["git", *words], check=True, capture_output=True, env={"PATH": os.environ["PATH"], "HOME": "/nonexistent",
                   **{f"GIT_{who}_{what}": "a@example" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}}, **more)


def make_repository(folder):
    bare, work = os.path.join(folder, "one.git"), os.path.join(folder, "work")
    git("init", "-q", "--bare", "-b", "main", bare)
    git("-C", bare, "config", "http.receivepack", "true")
    git("clone", "-q", bare, work)
    written(work, "note", NOTE)
    git("-C", work, "add", "note")
    git("-C", work, "commit", "-q", "-m", "a note")
    git("-C", work, "push", "-q", "origin", "HEAD:main")
    return folder


def head_of(folder):
    """What the last commit says."""
    return subprocess.run(["git", "-C", os.path.join(folder, "one.git"), "log", "-1", "--format=%s", "main"], capture_output=True,
                          text=True, check=True).stdout.strip()


PAGE = """<!doctype html><title>one</title><body><script>
const asked = new XMLHttpRequest();
asked.open("POST", "/echo", false);
asked.send("x".repeat(70000));
document.body.textContent = "the service had " + JSON.parse(asked.response).body_bytes;
</script>"""


class Services:
    """All at port 443. `seen`: (host, method, path, the answer's status) of each request, in their order."""

    def __init__(self, ws, address, grpc_address, names):
        self.seen, self.fields = [], {}
        self.objects = {}
        self.repositories = make_repository(ws.directory("repositories", owner=0))
        self.files = {"npm.test": npm_package(), "pypi.test": pip_package(), "debian.test": apt_package(ws.directory("archive", owner=0))}
        self.web = Origin(address, 443, ws.leaf(*names), answer=self.answer)
        self.grpc = H2Origin(grpc_address, 443, ws.leaf("grpc.test"), answer=self.answer_call)

    def note(self, request, status):
        host, path = request.get("host"), request.target.partition("?")[0]
        self.seen.append((host, request.method, path, status))
        self.fields[host] = request.fields

    def reply(self, connection, request, status, body=b"", fields=()):
        """Written down before anybody can know of it."""
        self.note(request, status)
        connection.reply(status, b"" if request.method == "HEAD" else body, fields)

    def answer(self, connection, request):
        host = request.get("host")
        if host in self.files:
            return self.answer_file(connection, request)
        return {"git.test": self.answer_git, "s3.test": self.answer_object, "sockets.test": self.answer_socket}.get(
            host, self.answer_web)(connection, request)

    def answer_file(self, connection, request):
        connection.read_body(request)
        body = self.files[request.get("host")].get(request.target)
        if request.method == "POST":        # npm asks for advisories
            self.reply(connection, request, 200, b"{}")
        elif body is None:
            self.reply(connection, request, 404)
        else:
            kind = "text/html" if body.startswith(b"<!") else "application/json" if body.startswith(b"{") else "application/octet-stream"
            self.reply(connection, request, 200, body, [("Content-Type", kind)])

    def answer_git(self, connection, request):
        """As a web server asks git's own."""
        if (request.get("expect") or "").lower() == "100-continue":
            connection.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        body = connection.read_body(request)
        if request.get("content-encoding") == "gzip":
            body = gzip.decompress(body)
        path, _, query = request.target.partition("?")
        told = {"PATH": os.environ["PATH"], "GIT_PROJECT_ROOT": self.repositories, "GIT_HTTP_EXPORT_ALL": "1", "PATH_INFO": path,
                "QUERY_STRING": query, "REQUEST_METHOD": request.method, "CONTENT_TYPE": request.get("content-type") or "",
                "CONTENT_LENGTH": str(len(body)), "GIT_PROTOCOL": request.get("git-protocol") or "", "HOME": "/nonexistent"}
        done = subprocess.run(["git", "http-backend"], input=body, env=told, capture_output=True, check=True)
        head, _, body = done.stdout.partition(b"\r\n\r\n")
        fields = [tuple(line.split(": ", 1)) for line in head.decode().split("\r\n")]
        status = int(dict(fields).get("Status", "200").split()[0])
        self.reply(connection, request, status, body, [f for f in fields if f[0] != "Status"])

    def answer_object(self, connection, request):
        if (request.get("expect") or "").lower() == "100-continue":
            connection.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        body, path = connection.read_body(request), request.target.partition("?")[0]
        if request.method == "PUT":
            self.objects[path] = body
        body = self.objects.get(path)
        if body is None:
            return self.reply(connection, request, 404)
        fields = [("ETag", f'"{hashlib.md5(body).hexdigest()}"'), ("Last-Modified", "Sun, 22 Nov 2026 00:00:00 GMT")]
        if request.method == "HEAD":
            fields.append(("Content-Length", str(len(body))))
        return self.reply(connection, request, 200, b"" if request.method == "PUT" else body, fields)

    def answer_socket(self, connection, request):
        """An echo, of the end too."""
        self.note(request, 101)
        connection.send(sockets.acceptance(request))
        opcode = None
        while opcode != _CLOSE:
            opcode, payload = sockets.read_frame(connection) or (_CLOSE, b"")
            connection.send(sockets.answer_frame(opcode, payload))
        return True

    def answer_events(self, connection, request):
        """Three, and no end: who waits for one has none of them."""
        self.note(request, 200)
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
        for i in range(3):
            event = f"data: event {i}\n\n".encode()
            connection.send(f"{len(event):x}\r\n".encode() + event + b"\r\n")
        connection.read()
        raise Gone

    def answer_web(self, connection, request):
        if request.target == "/events":
            return self.answer_events(connection, request)
        if request.target == "/page":
            return self.reply(connection, request, 200, PAGE, [("Content-Type", "text/html")])
        self.note(request, 200)
        return echo(connection, request)

    def answer_call(self, stream):
        stream.answer()
        self.seen.append(("grpc.test", stream.method, stream.target, 200))
        stream.reply(200, stream.body, [("content-type", "application/grpc")], [("grpc-status", "0")])
