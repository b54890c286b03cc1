"""Clients and services by others, for HTTP/2 and gRPC: each is started with what it needs, and a service is a witness that tells
what it saw. What is not installed is said by name."""

import json
import os
import shutil
import subprocess
import threading
import time

from holdfast import ROOT, WORKLOAD_UID, Skip, at_end, run_as

PYTHON = "/usr/bin/python3"


def tool(name):
    """Where it is, or a Skip that says which package would bring it."""
    package = {"nghttp": "nghttp2-client", "h2load": "nghttp2-client", "nghttpd": "nghttp2-server", "java": "openjdk-17-jdk-headless",
               "node": "nodejs", "go": "golang-go", "certutil": "libnss3-tools", "/usr/bin/aws": "awscli"}.get(name, name)
    found = shutil.which(name)
    if found is None:
        raise Skip(f"there is no {name} (Debian: {package})")
    return found


def node_knows_proxies():
    """Whether Node itself can be told of a proxy: NODE_USE_ENV_PROXY."""
    asked = "process.exit(process.allowedNodeEnvironmentFlags.has('--use-env-proxy') ? 0 : 1)"
    return subprocess.run([tool("node"), "-e", asked], check=False, cwd="/").returncode == 0


def python_has(module, package):
    if subprocess.run([PYTHON, "-c", f"import {module}"], capture_output=True, check=False, cwd="/").returncode != 0:
        raise Skip(f"there is no {module} (Debian: {package})")


def node_folder(ws, *modules):
    """tests/node where the workload can read it, with the packages beside it."""
    source = os.path.join(ROOT, "tests/node")
    for module in modules:
        if not os.path.isdir(os.path.join(source, "node_modules", module)):
            raise Skip(f"there is no {module} (npm ci in tests/node)")
    folder = os.path.join(ws.path, "node")
    if not os.path.isdir(folder):
        shutil.copytree(source, folder, symlinks=True)
    return folder


def grpc_modules(ws):
    return node_folder(ws, "@grpc/grpc-js", "@grpc/proto-loader")


def python_script(ws, name):
    with open(os.path.join(ROOT, "tests/integration", name), "rb") as f:
        return ws.file(name, f.read())


class Call:
    """A request or a gRPC call, as the service tells it."""

    def __init__(self, told):
        self.told = told
        self.fields = [(n, v) for n, v in told.get("fields", [])]

    def __getitem__(self, key):
        return self.told[key]

    def get(self, name):
        return next((v for n, v in self.fields if n.lower() == name), None)

    @property
    def tokens(self):
        return self.get("workload-identity-token"), self.get("workload-proof-token")


class Service:
    """A process that says its port, then a line of JSON for each thing it saw. Who is told something first may read on until we
    have gone."""

    def __init__(self, argv, told=None):
        self.calls = []
        self._changed = threading.Condition()
        self._ended = False
        self.process = subprocess.Popen(argv, stdin=subprocess.DEVNULL if told is None else subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True, env={"PATH": os.environ["PATH"]})
        at_end(self.stop)
        if told is not None:
            self.process.stdin.write(told)
            self.process.stdin.flush()
        first = self.process.stdout.readline()
        assert first, f"{argv[:2]} did not start: {self.process.wait()}"
        self.port = json.loads(first)["port"]
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self.process.stdout:
            with self._changed:
                self.calls.append(Call(json.loads(line)))
                self._changed.notify_all()
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def wait(self, true, what="it", timeout=300):
        end = time.monotonic() + timeout
        with self._changed:
            while not true(self.calls):
                left = end - time.monotonic()
                if left <= 0 or self._ended:
                    raise AssertionError(f"the service never told {what}; {len(self.calls)} calls")
                self._changed.wait(left)
            return list(self.calls)

    def wait_calls(self, n, since=0):
        return self.wait(lambda calls: len(calls) >= since + n, f"{n} calls")[since:]

    def stop(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


# ---- services

def node_h2(ws, address, leaf, port=443):
    return Service([tool("node"), os.path.join(node_folder(ws), "h2_origin.mjs"), address, str(port), leaf.certificate, leaf.key])


def grpc_js_service(ws, address, leaf=None):
    pair = [leaf.certificate, leaf.key] if leaf else []
    return Service([tool("node"), os.path.join(grpc_modules(ws), "calls_service.mjs"), address, *pair])


def grpcio_service(ws, address, leaf=None):
    python_has("grpc", "python3-grpcio")
    pair = [leaf.certificate, leaf.key] if leaf else []
    return Service([PYTHON, "-B", python_script(ws, "calls.py"), "serve", address, *pair])


def nghttpd(address, leaf, folder, port=443):
    """Serves the files of a folder; ready when it takes connections."""
    process = subprocess.Popen([tool("nghttpd"), "-a", address, "-d", folder, str(port), leaf.key, leaf.certificate],
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    at_end(process.kill)
    return process


# ---- clients; each is the workload

def grpc_js(ws, proxy, ca, address, what, count=1, uid=WORKLOAD_UID, **told):
    return _grpc([tool("node"), os.path.join(grpc_modules(ws), "calls_client.mjs")], proxy, ca, address, what, count, uid, told)


def grpcio(ws, proxy, ca, address, what, count=1, uid=WORKLOAD_UID, **told):
    python_has("grpc", "python3-grpcio")
    return _grpc([PYTHON, "-B", python_script(ws, "calls.py"), "call"], proxy, ca, address, what, count, uid, told)


def _grpc(argv, proxy, ca, address, what, count, uid, told):
    words = [f"{n.replace('_', '-') if n not in ('deadline_ms',) else n}={v}" for n, v in told.items()]
    env = {} if proxy is None else {"https_proxy": proxy, "http_proxy": proxy, "grpc_proxy": proxy}
    done = run_as(uid, [*argv, address, ca, what, str(count), *words], env, timeout=900)
    assert done.returncode == 0, (done.stdout, done.stderr)
    return json.loads(done.stdout)


def node_h2_client(ws, proxy, ca, url, method="GET", body_bytes=0, count=1):
    done = run_as(WORKLOAD_UID, [tool("node"), os.path.join(node_folder(ws), "h2_client.mjs"), proxy, url, ca, method, str(body_bytes),
                                 str(count)], timeout=600)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]
