"""The real binary, as a witness: started with a test's config, watched through its log, stopped with its exit code and
its sanitizers' reports looked at. And the workspace the three witnesses share."""

import contextlib
import fcntl
import json
import os
import re
import shutil
import signal
import ssl
import subprocess
import tempfile
import threading
import time

import canary
import certs
import turned
from client import (Channel, Closed, OTHER_UID, PROXY_UID, WORKLOAD_UID, as_uid, client_hello, connect, curl,  # noqa: F401
                    run_as)
from origin import Gone, Origin, Trap, echo  # noqa: F401
from promise import SIZE, Skip, at_end, by_size, leave, main, own_network, promise, rows, skip_file  # noqa: F401
from stub_dns import StubDNS  # noqa: F401

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BINARY = os.environ.get("HOLDFAST_BINARY", os.path.join(ROOT, "build/test/holdfast"))
RELEASE = os.environ.get("HOLDFAST_RELEASE", os.path.join(ROOT, "build/release/holdfast"))
VECTORS = os.path.join(ROOT, "tests/vectors")

# Addresses of our own network that stand for the outside; no request can leave the machine.
PUBLIC = "20.0.0.10"
PUBLIC2 = "20.0.0.20"
PRIVATE = "10.20.0.10"
METADATA = "169.254.169.254"
ADDRESSES = [PUBLIC, PUBLIC2, PRIVATE, METADATA]

PATIENCE = 120      # seconds for what takes less than one where nothing else runs

SANITIZER = re.compile(r"AddressSanitizer|LeakSanitizer|UndefinedBehavior|runtime error:|Assertion .* failed")


def vectors(path):
    with open(os.path.join(VECTORS, path), encoding="utf-8") as f:
        return [json.loads(line) for line in f] if path.endswith(".jsonl") else json.load(f)


class Workspace:
    """A directory that others may enter, with a CA for the services. Gone at exit."""

    def __init__(self):
        if not os.path.exists(BINARY):
            skip_file(f"{BINARY} is not built")
        self.path = tempfile.mkdtemp(prefix="holdfast-test-")
        os.chmod(self.path, 0o755)
        at_end(self.remove)
        self.ca = certs.Authority(self.path, "services-ca")
        self.other_ca = certs.Authority(self.path, "unknown-ca")
        self.count = 0

    def file(self, name, content=None, mode=0o644, owner=None):
        path = os.path.join(self.path, name)
        if content is not None:
            data = content if isinstance(content, bytes) else content.encode()
            with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "wb") as f:
                f.write(data)
            os.chmod(path, mode)
        if owner is not None:
            os.chown(path, owner, owner)
        return path

    def directory(self, name, owner=PROXY_UID, mode=0o755):
        path = os.path.join(self.path, name)
        os.makedirs(path, exist_ok=True)
        os.chmod(path, mode)
        os.chown(path, owner, owner)
        return path

    def leaf(self, *names, file=None, ca=None, **more):
        self.count += 1
        return (ca or self.ca).leaf(file or f"leaf-{self.count}", list(names), **more)

    def remove(self):
        shutil.rmtree(self.path, ignore_errors=True)


CREDENTIAL = """
credentials = {
  orders = { owner = "orders-team@example"; approved_by = "iam@example"; ticket = "SEC-101"; rotate_every = "1h";
             privileges = "write orders of tenant 7"; source = { kind = "authority"; }; };
};
"""


def grant(rules, name="tests", caller=f"{{ uid = {WORKLOAD_UID}; }}", expires_at="2099-01-01", ttl="15m"):
    return f"""
  {{ name = "{name}"; owner = "tests@example"; approved_by = "security@example"; ticket = "SEC-1";
    approved_at = "2026-11-01"; expires_at = "{expires_at}";
    purposes = ["testing"]; task = "standing"; ttl = "{ttl}"; caller = {caller};
    rules = ( {rules} ); }}"""


def hosts(**names):
    """resolver.hosts from allowed_test="20.0.0.10" (an underscore is a dot), or a list of addresses."""
    def one(name, value):
        values = value if isinstance(value, list) else [value]
        quoted = ", ".join(f'"{v}"' for v in values)
        return f'{{ name = "{name.replace("_", ".")}"; addresses = [{quoted}]; }}'
    return "resolver = { hosts = ( " + ", ".join(one(*n) for n in names.items()) + " ); };"


class Holdfast:
    """One running `holdfast run`. The kernel picks its ports; the log tells them."""

    def __init__(self, workspace, config, binary=None, name="holdfast", wait=True, env=None, argv_before=(), uid=None,
                 config_name=None):
        self.workspace = workspace
        self.binary = binary or BINARY
        self.run = workspace.directory(name)
        self.publish = os.path.join(self.run, "public")
        self.config_path = os.path.join(workspace.path, config_name or f"{name}.conf")
        self.configs = []
        self.write_config(config)
        self.lines, self.text = [], []
        self._changed = threading.Condition()
        self._ended = False
        environment = {"PATH": os.environ["PATH"], "UBSAN_OPTIONS": "print_stacktrace=1",
                       "ASAN_OPTIONS": "detect_leaks=0:abort_on_error=0", **(env or {})}
        more = {} if uid is None else {"user": uid, "group": uid, "extra_groups": []}
        self.process = subprocess.Popen([*argv_before, self.binary, "run", "-c", self.config_path],
                                        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=environment, **more)
        with contextlib.suppress(OSError):      # a line that finds the pipe full is lost, and we may be slow to read
            fcntl.fcntl(self.process.stderr, fcntl.F_SETPIPE_SZ, 1 << 20)
        at_end(self._put_away)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        if wait:
            try:
                self.wait_for("ready", timeout=300)     # it may be watched by something that slows it down
            except AssertionError:
                self.process.kill()
                raise

    @property
    def pid(self):
        return self.process.pid

    def write_config(self, config):
        """Whole or not at all, as an operator's editor would."""
        text = config if isinstance(config, str) else config(self)
        self.configs.append(text)
        beside = self.config_path + ".new"
        with open(beside, "w", encoding="utf-8") as f:
            f.write(text)
        os.chmod(beside, 0o644)
        os.replace(beside, self.config_path)

    def _read(self):
        for raw in self.process.stderr:
            text = raw.decode("utf-8", "backslashreplace").rstrip("\n")
            try:
                line = json.loads(text)
            except ValueError:
                line = None
            with self._changed:
                self.text.append(text)
                if isinstance(line, dict):
                    self.lines.append(line)
                self._changed.notify_all()
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    # ---- asking the witness

    def wait_line(self, true, since=0, timeout=PATIENCE, what="a line"):
        """The first log line from `since` on that satisfies true(line)."""
        end = time.monotonic() + timeout
        at = since
        with self._changed:
            while True:
                while at < len(self.lines):
                    if true(self.lines[at]):
                        return self.lines[at]
                    at += 1
                left = end - time.monotonic()
                if left <= 0 or self._ended:
                    raise AssertionError(f"the log never had {what}; its end:\n" + self.tail())
                self._changed.wait(left)

    def wait_for(self, *messages, since=0, timeout=PATIENCE):
        return self.wait_line(lambda li: li.get("msg") in messages, since, timeout, " or ".join(messages))

    def index(self):
        with self._changed:
            return len(self.lines)

    def _states(self):
        """What each worker says of itself, after what it has said before."""
        since = self.index()
        self.kill(signal.SIGUSR2)
        return [self.wait_line(lambda li: li.get("msg") == "state" and li["worker"] == worker, since, what="a worker's state")
                for worker in range(self.wait_for("ready")["workers"])]

    def mark(self):
        """Where the log is once everything that is over has been told of: the state is dumped by the threads that serve."""
        self._states()
        return self.index()

    def quiet_mark(self):
        """The same once nothing runs any more: what a test before has left goes on for a moment."""
        while True:
            since = self.index()
            if all(state["exchanges"] == 0 for state in self._states()):
                return self.index()
            self.wait_for("request", since=since)

    def wait_draining(self, since=0):
        """Until the last of the workers takes nothing new."""
        for worker in range(self.wait_for("ready")["workers"]):
            self.wait_line(lambda li: li.get("msg") == "draining" and li["worker"] == worker, since, what="a worker draining")

    def requests(self, since=0):
        with self._changed:
            return [li for li in self.lines[since:] if li.get("msg") == "request"]

    def wait_requests(self, n, since=0, timeout=PATIENCE):
        end = time.monotonic() + timeout
        with self._changed:
            while True:
                found = [li for li in self.lines[since:] if li.get("msg") == "request"]
                if len(found) >= n:
                    return found
                left = end - time.monotonic()
                if left <= 0 or self._ended:
                    raise AssertionError(f"{n} request lines awaited, {len(found)} came; the log's end:\n" + self.tail())
                self._changed.wait(left)

    def tail(self, n=25):
        return "\n".join("  | " + t for t in self.text[-n:])

    def doors(self, kind):
        return [li for li in self.lines if li.get("msg") == "door open" and li.get("kind") == kind]

    def door(self, kind="forward", nth=0):
        """(address, port) of the nth door of this kind."""
        address, _, port = self.doors(kind)[nth]["address"].rpartition(":")
        return address.strip("[]"), int(port)

    @property
    def proxy(self):
        return "http://%s:%d" % self.door("forward")

    @property
    def bundle(self):
        return os.path.join(self.publish, "bundle.pem")

    @property
    def ca(self):
        return os.path.join(self.publish, "ca.pem")

    @property
    def jwks(self):
        return os.path.join(self.publish, "jwks.json")

    def status(self, key):
        """A number of /proc/PID/status."""
        with open(f"/proc/{self.pid}/status", encoding="ascii") as f:
            for line in f:
                if line.startswith(key + ":"):
                    return line.split(":", 1)[1].strip()
        raise KeyError(key)

    def resident_kib(self):
        return int(self.status("VmRSS").split()[0])

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    # ---- talking to it

    def open(self, uid=WORKLOAD_UID, kind="forward", nth=0):
        return Channel(connect(*self.door(kind, nth), uid=uid))

    def connect(self, target="allowed.test:443", uid=WORKLOAD_UID, fields=()):
        """A tunnel: (channel, the answer to CONNECT)."""
        if turned.IS_THE_WAY:
            return turned.tunnel(self, target, uid)
        channel = self.open(uid)
        channel.send(f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n" + "".join(f"{n}: {v}\r\n" for n, v in fields) + "\r\n")
        return channel, channel.read_answer("CONNECT")

    def client_context(self, strict=False):
        context = ssl.create_default_context(cafile=self.ca)
        context.set_alpn_protocols(["http/1.1"])
        if strict:
            context.verify_flags |= ssl.VERIFY_X509_STRICT
        return context

    def tls(self, target="allowed.test:443", uid=WORKLOAD_UID, server_name=None, context=None):
        """A tunnel with TLS inside."""
        channel, answer = self.connect(target, uid)
        assert answer.status == 200, (answer.line, answer.body)
        name = server_name or target.rpartition(":")[0].strip("[]")
        return channel.start_tls(context or self.client_context(), name)

    def get(self, path="/", target="allowed.test:443", uid=WORKLOAD_UID, method="GET", fields=(), body=None):
        """One request on a connection of its own."""
        host = target[:-4] if target.endswith(":443") else target
        with self.tls(target, uid) as channel:
            return channel.request(method, path, host, fields, body)

    # ---- changing and ending it

    def _put_away(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def kill(self, number):
        self.process.send_signal(number)

    def reload(self, config=None, timeout=PATIENCE):
        """SIGHUP; returns the line that says what came of it."""
        if config is not None:
            self.write_config(config)
        since = self.index()
        self.kill(signal.SIGHUP)
        return self.wait_for("config reloaded", "config rejected", since=since, timeout=timeout)

    def wait_exit(self, timeout=PATIENCE):
        try:
            code = self.process.wait(timeout)
        except subprocess.TimeoutExpired as e:
            self.process.kill()
            raise AssertionError("it did not stop; the log's end:\n" + self.tail()) from e
        self._reader.join(10)
        return code

    def assert_alive(self):
        assert self.process.poll() is None, f"it ended with {self.process.returncode}:\n" + self.tail(60)

    def assert_clean(self):
        """No sanitizer spoke, nothing but whole JSON lines was logged, and no secret was written down."""
        bad = [t for t in self.text if SANITIZER.search(t)]
        assert not bad, "\n".join(self.text[-80:])
        canary.assert_kept(self)

    def stop(self, expect=0, how=signal.SIGTERM):
        self.assert_alive()
        self.kill(how)
        code = self.wait_exit()
        self.assert_clean()
        assert code == expect, f"exit code {code}, not {expect}:\n" + self.tail(60)


def forward_config(rules, more="", grants=None, names=None, credentials=CREDENTIAL, workload_uid=WORKLOAD_UID, limits="",
                   log="", caller=None, listen="127.0.0.1:0", workers=2, doors=""):
    """The config of a sidecar beside our workload, as a function of the Holdfast it is for."""
    def text(h):
        told = grants if grants is not None else grant(rules, **({"caller": caller} if caller else {}))
        return f"""
workload = {{ id = "spiffe://prod.example/ns/agents/sa/builder"; uid = {workload_uid}; }};
user = "{PROXY_UID}";
workers = {workers};
ca = {{ keep = "{h.run}/ca"; publish = "{h.run}/public"; }};
authority = {{ keep = "{h.run}/authority"; name = "prod.example"; }};
ledger = {{ keep = "{h.run}/ledger"; }};
{names if names is not None else hosts(allowed_test=PUBLIC, denied_test=PUBLIC2)}
{log}
doors = ( {{ kind = "forward"; listen = "{listen}"; }} {doors} {turned.DOOR if turned.IS_THE_WAY else ""} );
{credentials}
grants = ( {told} );
{"limits = { " + limits + " };" if limits else ""}
{more}
"""
    return text


def gate_config(leaf, upstream, jwks, rules=None, names='"https://orders.test"', more_door="", more="",
                subjects='subjects = ["spiffe://prod.example/ns/agents/*"];', listen=PUBLIC + ":443", workers=2):
    """The config of a gate in front of a service."""
    told = rules or '{ methods = "any"; paths = "any"; subjects = "any"; grants = "any"; purposes = "any"; }'
    return f"""
user = "{PROXY_UID}";
workers = {workers};
doors = (
  {{ kind = "gate"; listen = "{listen}"; certificate = "{leaf.certificate}"; key = "{leaf.key}";
    names = [{names}]; upstream = "{upstream}"; {more_door}
    trust = ( {{ domain = "prod.example"; jwks_file = "{jwks}"; {subjects} }} );
    rules = ( {told} ); }}
);
{more}
"""


class Sidecar:
    """The usual scene: a service at allowed.test:443, another at denied.test:443 that no rule names, Holdfast between them
    and the workload."""

    def __init__(self, rules=None, also="", binary=None, more="", answer=echo, argv_before=(), **config):
        self.ws = Workspace()
        self.trust = f'upstream_trust = "{self.ws.ca.file}";'
        self.origin = Origin(PUBLIC, 443, self.ws.leaf("allowed.test"), answer=answer)
        self.denied = Origin(PUBLIC2, 443, self.ws.leaf("denied.test"))
        self.config = lambda **changed: forward_config(**{"rules": (rules or self.rule()) + also, "more": more, **config, **changed})
        self.h = Holdfast(self.ws, self.config(), binary=binary, argv_before=argv_before)

    def rule(self, host="allowed.test", methods='"any"', paths='"any"', more="", trust=True):
        told = self.trust if trust else ""
        return f'{{ host = "{host}"; methods = {methods}; paths = {paths}; {told} {more} }}'

    def end(self):
        """For main(): everything is still well, and it stops as it should."""
        self.h.stop()
        assert not self.denied.connections, "a service that no rule names was connected to"
        self.ws.remove()

    # ---- three witnesses, one exchange

    def mark(self):
        return self.h.mark(), len(self.origin.requests)

    def since(self, mark, n=1):
        """(the service's requests, the log's lines) of the n exchanges since mark; they agree with each other."""
        lines = self.h.wait_requests(n, mark[0])
        requests = self.origin.requests[mark[1]:]
        assert len(lines) == n, lines
        sent = [(li["method"], li["path"]) for li in lines if "up" in li]
        seen = [(r.method, r.target.partition("?")[0]) for r in requests]
        assert sorted(sent) == sorted(seen), (sent, seen)
        return requests, lines
