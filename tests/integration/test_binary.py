"""The binary we ship: hardened as docs/THREAT-MODEL.md says, and its words for operators."""

import json
import os
import re
import subprocess

from holdfast import (ADDRESSES, BINARY, PROXY_UID, RELEASE, ROOT, WORKLOAD_UID, Skip, Workspace, main, own_network, promise, rows)

own_network(ADDRESSES)
ws = Workspace()


def shipped():
    if not os.path.exists(RELEASE):
        raise Skip(f"{RELEASE} is not built")
    return RELEASE


def readelf(*options):
    return subprocess.run(["readelf", "-W", *options, shipped()], capture_output=True, text=True, check=True).stdout


@promise
def it_is_position_independent():
    assert re.search(r"Type:\s+DYN", readelf("-h"))
    assert "PIE" in readelf("-d")


@promise
def its_relocations_are_read_only_and_bound_at_start():
    assert "GNU_RELRO" in readelf("-l")
    assert "BIND_NOW" in readelf("-d") or re.search(r"FLAGS.*NOW", readelf("-d"))


@promise
def nothing_in_it_is_both_writable_and_executable():
    headers = [line.split() for line in readelf("-l").splitlines() if re.match(r"\s+(LOAD|GNU_STACK)", line)]
    assert any(h[0] == "GNU_STACK" for h in headers)
    for h in headers:
        flags = "".join(h[6:-1])
        assert not ("W" in flags and "E" in flags), h


@promise
def it_looks_for_libraries_nowhere_of_its_own():
    assert not re.search(r"RPATH|RUNPATH", readelf("-d"))


@promise
def it_has_canaries_and_fortified_calls():
    symbols = readelf("--dyn-syms")
    assert "__stack_chk_fail" in symbols
    assert re.search(r"__\w+_chk\b", symbols), "no fortified call"


@promise
def its_functions_may_only_be_entered_at_their_beginning():
    """Debian's start files carry no CET note, so the binary has none; those of its own functions that are called through a
    pointer are marked all the same. An exchange's steps are, by their table."""
    code = subprocess.run(["objdump", "-d", "--no-show-raw-insn", shipped()], capture_output=True, text=True, check=True).stdout
    starts = re.findall(r"<(judge|collect|dial|present|enter|relay_bodies|finish)>:\n\s+[0-9a-f]+:\s+(\S+)", code)
    assert len(starts) == 7 and all(first == "endbr64" for _, first in starts), starts


# ---- words for operators

def holdfast(*words):
    # Who changed its uid cannot be looked at by the leak checker; the unit tests are.
    return subprocess.run([BINARY, *words], capture_output=True, text=True, timeout=60,
                          env={**os.environ, "ASAN_OPTIONS": "detect_leaks=0"})


@promise
def version_tells_the_version():
    with open(os.path.join(ROOT, "CMakeLists.txt"), encoding="utf-8") as f:
        version = re.search(r"VERSION (\d+\.\d+\.\d+)", f.read()).group(1)
    for word in ("version", "--version"):
        done = holdfast(word)
        assert done.returncode == 0 and version in done.stdout, done


def example(name):
    """An example as it stands, with its paths and its user moved to where this machine has some."""
    leaf = ws.leaf("orders.example")
    os.chown(leaf.key, PROXY_UID, PROXY_UID)
    jwks = ws.file("prod.jwks.json", '{"keys":[]}')
    with open(os.path.join(ROOT, "conf/examples", name), encoding="utf-8") as f:
        text = f.read()
    for old, new in (("/etc/holdfast/gate.pem", leaf.certificate), ("/run/secrets/gate.key", leaf.key),
                     ("/etc/holdfast/prod.jwks.json", jwks), ("/run/holdfast", ws.directory("run")), ("/var/lib/holdfast", ws.directory("state")),
                     ('user = "holdfast"', f'user = "{PROXY_UID}"'), ('user      = "holdfast"', f'user = "{PROXY_UID}"')):
        text = text.replace(old, new)
    return ws.file(name, text)


EXAMPLES = [(name,) for name in sorted(os.listdir(os.path.join(ROOT, "conf/examples"))) if name.endswith(".conf")]


@rows(EXAMPLES)
def every_example_loads(row):
    done = holdfast("check", "-c", example(row[0]))
    assert done.returncode == 0, done


@promise
def check_tells_every_error_and_exits_78():
    path = example("quickstart.conf")
    with open(path, encoding="utf-8") as f:
        text = f.read()
    broken = ws.file("broken.conf", text.replace("methods =", "methdos =").replace('ttl = "15m"', 'ttl = "soon"'))
    done = holdfast("check", "-c", broken)
    told = done.stdout + done.stderr
    assert done.returncode == 78 and "methdos" in told and "soon" in told and f"{broken}:" in told, done


@promise
def what_lint_finds_decided_on_purpose_fails_nobody_who_is_not_strict():
    path = example("quickstart.conf")
    done = holdfast("check", "-c", path, "--lint")
    assert done.returncode == 0 and f"{path}:" in done.stdout and ": note: grant nightly-orders: a standing task" in done.stdout, done
    assert holdfast("check", "-c", path, "--lint", "--strict").returncode == 1
    assert holdfast("check", "-c", path).returncode == 0


@promise
def what_lint_warns_of_fails():
    with open(example("quickstart.conf"), encoding="utf-8") as f:
        text = f.read()
    for old, new, words in ((r'methods = \["GET", "POST"\]', 'methods = "any"', "all methods are allowed"),
                            (r'keep = "[^"]*/ledger"', 'off_because = "no disk"', "nothing that is decided is recorded: no disk")):
        changed, n = re.subn(old, new, text)
        assert n == 1
        path = ws.file("questionable.conf", changed)
        done = holdfast("check", "-c", path, "--lint")
        assert done.returncode == 1 and any(": warning: " in line and words in line for line in done.stdout.splitlines()), done
        assert holdfast("check", "-c", path).returncode == 0


@promise
def findings_and_errors_are_told_as_json():
    path = example("quickstart.conf")
    told = json.loads(holdfast("check", "-c", path, "--lint", "--json").stdout)
    assert told["config"] == path and told["errors"] == [], told
    standing = [f for f in told["findings"] if f["kind"] == "standing"]
    assert len(standing) == 1 and standing[0]["level"] == "note" and standing[0]["file"] == path and standing[0]["line"] > 0, told
    with open(path, encoding="utf-8") as f:
        broken = ws.file("broken-json.conf", f.read().replace("methods =", "methdos ="))
    done = holdfast("check", "-c", broken, "--json")
    told = json.loads(done.stdout)
    assert done.returncode == 78 and any("methdos" in e and e.startswith(broken + ":") for e in told["errors"]), done
    assert told["findings"] == [] and done.stderr == "", done


@promise
def the_printed_defaults_name_every_limit():
    done = holdfast("check", "--defaults")
    assert done.returncode == 0 and "head_timeout" in done.stdout and "refusal_leaf_rate" in done.stdout, done


@rows([("CONFIG.md", "--reference"), ("REASONS.md", "--reasons")])
def the_generated_docs_are_what_the_binary_prints(row):
    name, option = row
    done = holdfast("check", option)
    assert done.returncode == 0, done
    with open(os.path.join(ROOT, "docs", name), encoding="utf-8") as f:
        assert f.read() == done.stdout, f"write it anew: holdfast check {option} > docs/{name}"


EXPLAINED = [
    ("allowed", "GET", "https://orders.example/v1/orders/7", 0, ["quickstart.conf:", "nightly-orders"]),
    ("other-path", "GET", "https://orders.example/v2/orders", 3, ["path_not_allowed", "quickstart.conf:"]),
    ("other-method", "DELETE", "https://orders.example/v1/orders/7", 3, ["method_not_allowed"]),
    ("other-host", "GET", "https://evil.example/", 3, ["host_not_allowed"]),
    ("metadata", "GET", "https://169.254.169.254/latest", 3, ["prohibited|not_allowed"]),
    ("odd-number", "GET", "https://2852039166/latest", 2, ["looks like a number"]),
]


@rows(EXPLAINED)
def explain_says_what_would_happen_and_by_which_rule(row):
    _, method, url, code, words = row
    done = holdfast("explain", "-c", example("quickstart.conf"), "--uid", "1000", method, url)
    told = done.stdout + done.stderr
    assert done.returncode == code, done
    for word in words:
        assert re.search(word, told), (word, told)
    assert code == 2 or re.search(r"^step +tunnel +handle +pass$", told, re.M), told


def explained(name, *words):
    done = holdfast("explain", "-c", example(name), "--json", *words)
    return done.returncode, json.loads(done.stdout)


@promise
def explain_tells_each_filters_step_in_order():
    code, told = explained("quickstart.conf", "--uid", "1000", "--header", "Authorization: Bearer hunter2", "--header", "X-Api-Key",
                           "GET", "https://orders.example/v1/orders/7?api_key=hunter2&page=2")
    assert code == 0 and told["verdict"] == "allow" and told["grant"] == "nightly-orders", told
    steps = told["steps"]
    assert [(s["phase"], s["filter"]) for s in steps] == \
        [("tunnel", "handle"), ("tunnel", "prove"), ("judge", "handle"), ("judge", "prove"), ("judge", "policy"), ("judge", "guard"),
         ("judge", "policy"), ("judge", "handle"), ("present", "handle"), ("present", "strip"), ("present", "present")], steps
    stripped = next(s for s in steps if s["filter"] == "strip")["stripped"]
    assert stripped == ["authorization", "x-api-key", "?api_key"], stripped
    last = steps[-1]
    assert (last["answer"], last["credential"], last["binding"], last["inject"]) == ("present", "orders", "wimse", "always"), last
    assert "hunter2" not in json.dumps(told), "a value was shown"


@promise
def explain_stops_at_the_step_that_denies():
    code, told = explained("quickstart.conf", "--uid", "1000", "DELETE", "https://orders.example/v1/orders/7")
    assert code == 3 and (told["verdict"], told["by"], told["reason"], told["status"]) == ("deny", "policy", "method_not_allowed", 403)
    last = told["steps"][-1]
    assert (last["filter"], last["answer"]) == ("policy", "deny") and "nightly-orders" in last["notes"][0], last
    assert re.search(r"quickstart\.conf:\d+$", told["rule"]), told


@promise
def explain_tells_a_bearer_exception_and_why():
    code, told = explained("bearer.conf", "--uid", "1000", "GET", "https://api.github.com/repos/acme/site")
    assert code == 0, told
    last = told["steps"][-1]
    assert last["binding"] == "bearer" and last["inject"] == "on_handle" and last["unbound_because"], last


GATE = [
    ("fits", ("GET", "https://orders.example:8443/v1/orders/7"), 0, "allow", None),
    ("other-method", ("PATCH", "https://orders.example:8443/v1/orders/7"), 3, "deny", "method_not_allowed"),
    ("other-path", ("GET", "https://orders.example:8443/v2"), 3, "deny", "path_not_allowed"),
    ("encoded-slash", ("GET", "https://orders.example:8443/v1/orders/a%2fb"), 3, "deny", "encoded_slash"),
    ("other-name", ("GET", "https://evil.example:8443/v1/orders/7"), 3, "deny", "not_our_name"),
]


@rows(GATE)
def explain_asks_a_gates_rules_and_says_that_no_proof_was_checked(row):
    _, words, code, verdict, reason = row
    got, told = explained("gate.conf", "--door", "gate", *words)
    assert (got, told["verdict"], told.get("reason")) == (code, verdict, reason), told
    if code == 0:
        assert told["proof_checked"] is False and re.search(r"gate\.conf:\d+$", told["rule"]), told
        done = holdfast("explain", "-c", example("gate.conf"), "--door", "gate", *words)
        assert "the proof was not checked" in done.stdout and "nightly-orders" in done.stdout, done


@promise
def explain_asks_the_way_out_that_the_config_has():
    """At a transparent door nobody says CONNECT; all else is the same."""
    with open(example("quickstart.conf"), encoding="utf-8") as f:
        path = ws.file("led.conf", f.read().replace('kind = "forward"', 'kind = "transparent"', 1))
    asks = ["--uid", "1000", "--json", "GET", "https://orders.example/v1/orders/7"]
    code, forward = explained("quickstart.conf", *asks[:2], *asks[3:])
    assert code == 0
    for words in ((), ("--door", "transparent")):
        led = json.loads(holdfast("explain", "-c", path, *words, *asks).stdout)
        assert led["steps"] == [step for step in forward["steps"] if step["phase"] != "tunnel"] and led["verdict"] == "allow", led
    assert holdfast("explain", "-c", path, "--door", "forward", *asks).returncode == 2


@promise
def explain_says_when_there_is_no_such_door():
    for name, words in (("gate.conf", ()), ("quickstart.conf", ("--door", "gate")), ("quickstart.conf", ("--door", "ops"))):
        done = holdfast("explain", "-c", example(name), *words, "GET", "https://orders.example/")
        assert done.returncode == 2 and not done.stdout, done


# ---- env

def environment(*words):
    done = holdfast("env", "-c", example("quickstart.conf"), *words)
    assert done.returncode == 0 and not done.stderr, done
    return done.stdout


@promise
def env_prints_what_the_workload_needs():
    told = json.loads(environment("--format", "json"))
    for name in ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"):
        assert told[name] == "http://127.0.0.1:15001", told
    for name in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "GIT_SSL_CAINFO", "AWS_CA_BUNDLE", "CARGO_HTTP_CAINFO",
                 "PIP_CERT"):
        assert told[name].endswith("/public/bundle.pem"), told
    for name in ("NODE_EXTRA_CA_CERTS", "DENO_CERT"):
        assert told[name].endswith("/public/ca.pem"), told
    assert told["NO_PROXY"] == told["no_proxy"] == "127.0.0.1,localhost,::1"
    assert told["SSL_CERT_DIR"].endswith("/public/certs"), told
    java = told["JAVA_TOOL_OPTIONS"].split(" -D")
    for option in ("https.proxyHost=127.0.0.1", "https.proxyPort=15001", "http.proxyPort=15001", "javax.net.ssl.trustStoreType=PKCS12"):
        assert option in java, java
    lines = environment("--format", "docker").splitlines()
    assert dict(line.split("=", 1) for line in lines) == told
    lines = environment("--format", "k8s").splitlines()
    assert all(line.startswith("- name: ") for line in lines[::2]) and all(line.startswith("  value: ") for line in lines[1::2]), lines
    assert {name[8:]: json.loads(value[9:]) for name, value in zip(lines[::2], lines[1::2])} == told


@promise
def env_puts_the_handles_of_the_asked_one_in_and_nothing_else():
    public = os.path.join(ws.directory("run"), "public")
    os.makedirs(public, exist_ok=True)
    sly = "it's $(touch /tmp/never) `x` \"y\" \\"
    ws.file("run/public/handles.env", f"ONE={sly}\nnot a line\n=nameless\nBAD-NAME=x\n")
    ws.file("run/public/handles.uid-64903.env", "TWO=two\n")
    told = json.loads(environment("--format", "json"))
    assert told["ONE"] == sly and not {"TWO", "BAD-NAME", ""} & set(told), told
    told = json.loads(environment("--format", "json", "--uid", "64903"))
    assert told["TWO"] == "two" and "ONE" not in told, told
    done = subprocess.run(["sh", "-c", environment() + 'printf %s "$ONE"'], capture_output=True, text=True, check=True)
    assert done.stdout == sly, done
    for name in ("handles.env", "handles.uid-64903.env"):
        os.unlink(os.path.join(public, name))


@promise
def env_does_not_guess_a_port_that_the_kernel_picks():
    with open(example("quickstart.conf"), encoding="utf-8") as f:
        path = ws.file("port.conf", f.read().replace("127.0.0.1:15001", "127.0.0.1:0"))
    done = holdfast("env", "-c", path)
    assert done.returncode == 1 and "port.conf:" in done.stderr and not done.stdout, done


@promise
def a_verb_takes_its_own_options_and_no_others():
    for words in (["version", "--json"], ["run", "--lint"], ["explain", "GET"], ["check", "extra"], ["env", "--uid", "x"], ["stop"], []):
        done = holdfast(*words)
        assert done.returncode == 2 and "usage:" in done.stderr, (words, done)


@rows([("no-such", ["task", "strat"], "no such verb: task strat", 6), ("half", ["audit"], "no such verb: audit", 4),
       ("option", ["task", "end", "--ttl", "5m", "t-1"], "no such option", 2), ("words", ["explain", "GET"], "METHOD and URL", 2),
       ("budget", ["task", "start", "--grant", "g", "--max-requests", "none"], "none: --max-requests takes a number above nought", 6),
       ("ttl", ["task", "start", "--grant", "g", "--ttl", "foo"], "foo: --ttl takes a duration above nought", 6),
       ("ttl-nought", ["task", "start", "--grant", "g", "--ttl", "0s"], "0s: --ttl takes a duration above nought", 6),
       ("ttl-exec", ["exec", "--grant", "g", "--ttl", "", "--", "true"], ": --ttl takes a duration above nought", 2),
       ("caller", ["task", "start", "--grant", "g", "--caller", "1000"], "1000: --caller takes uid=N", 6),
       ("uid", ["explain", "--uid", "-1", "GET", "https://a.example/"], "-1: --uid takes a number", 2),
       ("fields", ["explain", *["--header", "A: b"] * 100, "GET", "https://a.example/"], "that is too many --header", 2),
       ("unknown", ["stop"], "no such verb: stop", 2)])
def misuse_is_told_in_the_first_line_and_the_verbs_own_lines(row):
    done = holdfast(*row[1])
    told = done.stderr.splitlines()
    assert done.returncode == 2 and row[2] in told[0] and len(told) == row[3], done
    assert told[1].startswith("usage: holdfast ") and all(line.startswith("       holdfast ") for line in told[2:]), done


@promise
def explain_knows_whose_request_it_is():
    done = holdfast("explain", "-c", example("quickstart.conf"), "--uid", str(WORKLOAD_UID), "GET",
                    "https://orders.example/v1/orders/7")
    assert done.returncode == 3 and "caller_not_allowed" in done.stdout + done.stderr, done


main(ws.remove)
