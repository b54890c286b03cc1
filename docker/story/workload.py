"""What `docker-compose up` tells: the workload tries what it may do and what it may not, and says PASS or FAIL. Exits 0 only when
everything passed."""

import concurrent.futures
import errno
import json
import os
import socket
import subprocess
import sys
import time

ORDERS = "https://orders.example:8443"
REPORTS = "http://reports.example/daily"
METADATA = "169.254.169.254"
PUBLIC = "/run/holdfast/public"
GATE, PEER, MACHINE = os.environ["GATE_OUTSIDE"], os.environ["ELSEWHERE_OUTSIDE"], os.environ["MACHINE_INSIDE"]
ECHO_REQUEST = b"\x08\0\xf7\xff\0\0\0\0"
PATIENCE = 60
AWAY = 4            # seconds, for what is silent: a way that is open answers in a thousandth of that
NO_WAY = ("ENETUNREACH", "EHOSTUNREACH", "EADDRNOTAVAIL", "EAFNOSUPPORT", "EPERM", "silence")

# The file an operator would drop beside the config: another grant, with one rule.
ADDED = """grants = (
  { name = "daily-report"; owner = "reports-team@example"; approved_by = "security@example"; ticket = "SEC-124";
    approved_at = "2026-11-01"; expires_at = "2099-01-01"; purposes = ["daily-report"]; task = "standing"; ttl = "15m";
    caller = { door = "workload"; };
    rules = ( { host = "reports.example"; scheme = "http"; port = 80; methods = ["GET"]; paths = ["/daily"];
                addresses = ["10.213.8.0/24"]; } ); }
);
"""


class Story:
    def __init__(self):
        self.step, self.failed, self.begun = 0, 0, time.monotonic()

    def next(self, title):
        self.step += 1
        print(f"\n{self.step}. {title}", flush=True)

    def check(self, holds, what):
        self.failed += not holds
        print(f"   {'PASS' if holds else 'FAIL'}  {what}", flush=True)


def curl(*arguments):
    """An unmodified client, which has its proxy and its CA from the environment: status, body, what it complains of."""
    done = subprocess.run(["curl", "-sS", "--max-time", str(PATIENCE), "-w", "\n%{http_code}", *arguments], capture_output=True, text=True,
                          check=False)
    body, _, code = done.stdout.rpartition("\n")
    return int(code or 0), body.strip(), done.stderr.strip()


def problem(body):
    try:
        return json.loads(body)
    except ValueError:
        return {}


def elsewhere(errand, **what):
    """Asks somebody outside to act, and tells what came of it."""
    with socket.socket(socket.AF_UNIX) as line:
        line.settimeout(2 * PATIENCE)
        line.connect("/stage/elsewhere.sock")
        line.sendall(json.dumps({"errand": errand, **what}).encode() + b"\n")
        return json.loads(line.makefile().read())


def tried(family, kind, protocol, address, port):
    """What comes of a packet sent straight there: an answer, a refusal, silence, or the kernel's word that there is no way."""
    try:
        with socket.socket(family, kind, protocol) as s:
            s.settimeout(AWAY)
            s.connect((address, port))
            if kind == socket.SOCK_STREAM:
                return "connected"
            s.send(ECHO_REQUEST)
            s.recv(1)
            return "answered"
    except TimeoutError:
        return "silence"
    except OSError as e:
        return errno.errorcode.get(e.errno, str(e))


def resolved(name):
    try:
        return socket.getaddrinfo(name, 443)[0][4][0]
    except socket.gaierror:
        return None


def reason(answer):
    return f"{answer.get('status')} {answer.get('reason')}: {answer.get('detail')}"


def allowed_call(story):
    story.next("The workload calls a service it may call, holding no secret")
    code, body, error = curl("-H", "Authorization: Bearer the-workloads-own-idea", f"{ORDERS}/v1/orders/7")
    answer = problem(body)
    story.check(code == 200 and answer.get("state") == "shipped", f"curl {ORDERS}/v1/orders/7: {code} {answer.get('state') or error or body}")
    return answer


def what_was_seen(story, answer):
    story.next("What the service saw: a token bound to this task and this request (it leaks, and tells)")
    leaked, told = answer.get("leaked", {}), answer.get("told", {})
    for name in ("workload-identity-token", "workload-proof-token"):
        story.check(name in leaked, f"{name}: {leaked.get(name, '(none)')[:48]}...")
    story.check("authorization" not in leaked, "nothing of the workload's own Authorization")
    story.check(told.get("x-holdfast-workload") == "spiffe://demo.example/ns/agents/sa/builder",
                f"the gate told it who asks: {told.get('x-holdfast-workload')}")
    return leaked


def no_key(story):
    story.next("What the workload has of Holdfast: certificates, and no key")
    files = [os.path.join(at, name) for at, _, names in os.walk(PUBLIC) for name in names]
    keys = [file for file in files if b"PRIVATE KEY" in open(file, "rb").read()]
    story.check(f"{PUBLIC}/bundle.pem" in files and not keys, f"{PUBLIC}: {' '.join(sorted(os.listdir(PUBLIC)))}: no private key")
    secret = [name for name, value in os.environ.items() if "PRIVATE KEY" in value or value.startswith("eyJ")]
    story.check(not secret, "nor a token in its environment")
    try:
        with open(f"{PUBLIC}/bundle.pem", "ab"):
            story.check(False, "it can write to the bundle it trusts")
    except OSError as e:
        story.check(True, f"and it cannot put another CA there: {e.strerror}")


def replayed(story, leaked):
    story.next("It hands token and proof to a thief outside, who sends the same request again")
    answer = problem(elsewhere("replay", method="GET", path="/v1/orders/7", fields=leaked)["body"])
    story.check(answer.get("reason") == "proof_replayed", reason(answer))


def from_elsewhere(story, leaked):
    story.next("The thief uses them for something else")
    token = {name: value for name, value in leaked.items() if name == "workload-identity-token"}
    for what, wanted, method, path, fields in (("another order", "proof_audience", "GET", "/v1/orders/8", leaked),
                                               ("another method", "proof_method", "DELETE", "/v1/orders/7", leaked),
                                               ("the token without a proof", "proof_missing", "GET", "/v1/orders/7", token)):
        answer = problem(elsewhere("replay", method=method, path=path, fields=fields)["body"])
        story.check(answer.get("reason") == wanted, f"{what}: {reason(answer)}")
    story.check(elsewhere("borrow")["refused"], "and Holdfast itself: from outside its door is shut")


def visits():
    with open("/stage/metadata.visits", encoding="ascii") as f:
        return len(f.readlines())


def metadata(story):
    story.next("The metadata service, a step away from Holdfast")
    for spelling in (METADATA, "2852039166", "[::ffff:a9fe:a9fe]", "innocent.example"):
        # curl would rewrite 2852039166 into dots itself: such a spelling is given to CONNECT alone
        host = spelling if spelling != "2852039166" else "innocent.example"
        code, body, error = curl("-p", "--connect-to", f"::{spelling}:80", f"http://{host}/latest/meta-data/")
        note = " (a name that a rule allows, pointed there)" if spelling == "innocent.example" else ""
        said = reason(problem(body)) if problem(body) else error
        story.check((code == 403 or "response 400" in error) and "AccessKeyId" not in body, f"{spelling}{note}: {said}")
    story.check(visits() == 1, f"connections it saw, besides its own first: {visits() - 1}")


def off_policy(story):
    story.next("A host that no rule names")
    code, body, error = curl(REPORTS)
    answer = problem(body)
    story.check(code == 403 and answer.get("reason") == "host_not_allowed", f"{REPORTS}: {reason(answer) if answer else error}")
    story.check("reports.example" in answer.get("hint", ""), f"hint: {answer.get('hint')}")


def direct(story):
    story.next("Without Holdfast: straight out")
    tcp, udp = (socket.SOCK_STREAM, 0), (socket.SOCK_DGRAM, 0)
    ways = (("the service's gate", socket.AF_INET, *tcp, GATE, 8443), ("somebody who listens outside", socket.AF_INET, *tcp, PEER, 443),
            ("by UDP, as QUIC would", socket.AF_INET, *udp, PEER, 443), ("by UDP, as a resolver is asked", socket.AF_INET, *udp, PEER, 53),
            ("a public address", socket.AF_INET, *tcp, "192.0.2.1", 443), ("an IPv6 literal", socket.AF_INET6, *tcp, "2001:db8::1", 443),
            ("IPv6 by UDP", socket.AF_INET6, *udp, "2001:db8::1", 443), ("the metadata service", socket.AF_INET, *tcp, METADATA, 80),
            ("the machine that runs this", socket.AF_INET, *tcp, MACHINE, 22),
            ("a ping", socket.AF_INET, socket.SOCK_DGRAM, socket.IPPROTO_ICMP, PEER, 0),
            ("a packet of its own making", socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW, PEER, 0))
    with concurrent.futures.ThreadPoolExecutor() as pool:
        bare = pool.submit(curl, "--noproxy", "*", "--resolve", f"orders.example:8443:{GATE}", f"{ORDERS}/v1/orders/7")
        for (what, *_, address, port), came in zip(ways, pool.map(lambda way: tried(*way[1:]), ways)):
            story.check(came in NO_WAY, f"{what}, {address}{f' port {port}' if port else ''}: {came}")
    story.check(bare.result()[0] == 0, f"curl --noproxy: {bare.result()[2]}")
    heard = elsewhere("listen")["heard"]
    story.check(heard == {"tcp 443": 1, "udp 443": 1, "udp 53": 1}, "what was heard outside, besides its own first: nothing")


def names(story, asked):
    story.next("Names: Holdfast tells those that a rule allows, and asks nobody for others")
    for name, address in asked:
        wanted = GATE if name == "orders.example" else None
        story.check(address == wanted, f"{name}: {address or 'refused'}")


def without_holdfast(story):
    """Names are asked for while packets are on their way: who asks in vain waits."""
    asked = ("orders.example", "reports.example", "innocent.example", "example.com")
    with concurrent.futures.ThreadPoolExecutor(len(asked)) as pool:
        addresses = pool.map(resolved, asked)
        direct(story)
        names(story, zip(asked, addresses))


def broken_filter(story):
    story.next("The operator saves a broken filter and sends SIGHUP")
    told = elsewhere("change", text=ADDED.replace("methods", "methdos"), is_good=False)
    story.check(told["as_wanted"], f"rejected: still generation {told['generation']}")
    code, _, error = curl(f"{ORDERS}/v1/orders/9")
    story.check(code == 200, f"the allowed call still works: {code} {error}")
    code, _, _ = curl(REPORTS)
    story.check(code == 403, f"the refused one is still refused: {code}")


def fixed_filter(story):
    story.next("The operator fixes it and sends SIGHUP")
    told = elsewhere("change", text=ADDED, is_good=True)
    story.check(told["as_wanted"], f"taken over: generation {told['generation']}")
    code, body, error = curl(REPORTS)
    story.check(code == 200, f"{REPORTS}: {code} {body or error}")


def main():
    story = Story()
    answer = allowed_call(story)
    leaked = what_was_seen(story, answer)
    no_key(story)
    replayed(story, leaked)
    from_elsewhere(story, leaked)
    for part in (metadata, off_policy, without_holdfast, broken_filter, fixed_filter):
        part(story)
    verdict = "all passed" if story.failed == 0 else f"{story.failed} FAILED"
    print(f"\n{story.step} steps, {verdict}, in {time.monotonic() - story.begun:.1f} s. Nothing left this machine.", flush=True)
    return 0 if story.failed == 0 else 1


sys.exit(main())
