"""`holdfast doctor`, inside the workload: with what `holdfast env` prints all is well; each thing that is wrong is found and said, with
what to do about it."""

import json
import mmap
import os
import struct
import subprocess

from holdfast import (ADDRESSES, BINARY, Holdfast, Origin, PROXY_UID, PUBLIC2, WORKLOAD_UID, Workspace, forward_config, main, own_network,
                      promise, rows, run_as)

own_network(ADDRESSES)
ws = Workspace()
SECRET = "ghp_" + "S" * 36
secret = ws.file("github", SECRET, mode=0o400, owner=PROXY_UID)
CREDENTIALS = f"""
credentials = {{
  github = {{ owner = "o@example"; approved_by = "i@example"; ticket = "SEC-2"; rotate_every = "30d"; privileges = "read";
             source = {{ kind = "file"; path = "{secret}"; }}; handle = {{ shape = "ghp_{{36}}"; env = "GITHUB_TOKEN"; }}; }};
}};
"""
RULE = ('{ host = "allowed.test"; methods = ["GET"]; paths = ["/**"]; credential = "github"; bind = ["bearer"];'
        ' unbound_because = "it knows no proofs"; }')
h = Holdfast(ws, forward_config(RULE, credentials=CREDENTIALS, listen="127.0.0.1:15001"))
stranger = Origin(PUBLIC2, 80)
DAY_S = 86400


def environment(*options):
    done = subprocess.run([BINARY, "env", "-c", h.config_path, "--format", "json", *options], capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def examined(env, *options, more=None):
    """(exit code, {name: (is it well, the sentence)})."""
    done = run_as(WORKLOAD_UID, [BINARY, "doctor", "--json", *options], {**env, **(more or {})}, text=True)
    assert "Sanitizer" not in done.stderr and "runtime error" not in done.stderr, done
    told = json.loads(done.stdout)
    assert done.returncode == (0 if told["ok"] else 1), done
    return [(c["name"], c["ok"], c["says"]) for c in told["checks"]]


def wrong(env, *options, more=None):
    return {name: says for name, ok, says in examined(env, *options, more=more) if not ok}


@rows([("by the environment alone", ()), ("by the config, too", ("-c", h.config_path))])
def with_what_env_prints_all_is_well(row):
    found = examined(environment(), *row[1])
    assert all(ok for _, ok, _ in found), [f for f in found if not f[1]]
    said = {name: says for name, _, says in found}
    assert "Holdfast answers" in said["door"] and "trusted by it" in said["SSL_CERT_FILE"] and "is good" in said["clock"]
    assert "are set" in said["handles"] and "tcp" in said


@promise
def it_says_so_to_a_person():
    env = environment()
    done = run_as(WORKLOAD_UID, [BINARY, "doctor"], env, text=True)
    assert done.returncode == 0 and all(line.startswith("PASS  ") for line in done.stdout.splitlines()), done
    del env["SSL_CERT_FILE"]
    done = run_as(WORKLOAD_UID, [BINARY, "doctor"], env, text=True)
    assert done.returncode == 1 and done.stdout.count("FAIL  ") == 1 and SECRET not in done.stdout, done


@rows([(name,) for name in environment()])
def a_variable_that_is_missing_is_named(row):
    env = environment()
    del env[row[0]]
    found = wrong(env)
    if row[0] == "GITHUB_TOKEN":
        assert set(found) == {"handles"} and "GITHUB_TOKEN is not set" in found["handles"], found
    elif row[0] == "HTTPS_PROXY":
        assert set(found) == {"HTTPS_PROXY"}, found         # its twin leads to the door
    else:
        assert set(found) == {row[0]} and "holdfast env" in found[row[0]], found


@promise
def without_anything_the_proxy_is_what_is_missing_first():
    found = examined({})
    assert found[0][0] == "door" and not found[0][1] and "HTTPS_PROXY is not set" in found[0][2], found


nothing = ws.file("empty.pem", "")
WRONG = [
    ("nobody at the door", {"HTTPS_PROXY": "http://127.0.0.1:15999"}, "door", "nobody answers"),
    ("somebody else at the door", {"HTTPS_PROXY": f"http://{PUBLIC2}:80"}, "door", "is not Holdfast"),
    ("a door that is none", {"HTTPS_PROXY": "socks5://127.0.0.1:15001"}, "door", "is no URL of a door"),
    ("a door without a port", {"HTTPS_PROXY": "http://127.0.0.1"}, "door", "is no URL of a door"),
    ("a name that nobody has", {"HTTPS_PROXY": "http://holdfast.invalid:15001"}, "door", "nobody answers"),
    ("a proxy that curl would ask", {"https_proxy": "http://127.0.0.1:15021"}, "https_proxy", "another proxy than HTTPS_PROXY"),
    ("a proxy for the clear alone", {"HTTP_PROXY": f"http://{PUBLIC2}:80"}, "HTTP_PROXY", "another proxy than HTTPS_PROXY"),
    ("another CA", {"SSL_CERT_FILE": ws.other_ca.file}, "SSL_CERT_FILE", "does not hold Holdfast's CA"),
    ("a file that is not there", {"CURL_CA_BUNDLE": "/nonexistent/bundle.pem"}, "CURL_CA_BUNDLE", "No such file"),
    ("a file that is empty", {"REQUESTS_CA_BUNDLE": nothing}, "REQUESTS_CA_BUNDLE", "no list of certificates"),
    ("a directory that is not there", {"SSL_CERT_DIR": "/nonexistent"}, "SSL_CERT_DIR", "No such file"),
    ("no trust store", {"JAVA_TOOL_OPTIONS": "-Xmx1g"}, "JAVA_TOOL_OPTIONS", "names no trustStore"),
    ("a trust store that is not there", {"JAVA_TOOL_OPTIONS": "-Djavax.net.ssl.trustStore=/nonexistent/x -Xmx1g"},
     "JAVA_TOOL_OPTIONS", "/nonexistent/x, which cannot be read"),
    ("a host past the proxy", {"NO_PROXY": "localhost,.corp.example"}, "NO_PROXY", ".corp.example"),
    ("another handle", {"GITHUB_TOKEN": "ghp_" + "0" * 36}, "handles", "not the handle that is in force"),
]


@rows(WRONG)
def what_is_wrong_is_said(row):
    _, change, name, says = row
    found = wrong({**environment(), **change})
    assert says in found[name] and SECRET not in str(found), found
    assert set(found) == {name} or name == "door", found      # without a door there is more that cannot be


@rows([("HTTPS_PROXY", "http://localhost:15001"), ("npm_config_cafile", "/etc/ssl/certs/ca-certificates.crt")])
def what_the_config_has_otherwise_is_said(row):
    found = wrong({**environment(), row[0]: row[1]}, "-c", h.config_path)
    assert "another\"" not in str(found) and row[0] in found and "by the config it is" in found[row[0]], found


@rows([("behind", -30 * DAY_S), ("ahead", 3650 * DAY_S)])
def a_clock_that_is_off_is_found(row):
    step = ws.file(f"clock-{row[0]}", struct.pack("q", row[1]) + b"\0" * (mmap.PAGESIZE - 8))
    found = wrong(environment(), more={"LD_PRELOAD": os.environ["HOLDFAST_CLOCK_STEP"], "CLOCK_STEP_FILE": step,
                                       "ASAN_OPTIONS": "detect_leaks=0:verify_asan_link_order=0"})
    assert set(found) == {"clock"} and f"this clock is {row[0]}" in found["clock"], found


@promise
def with_a_config_that_cannot_be_read_it_says_that():
    done = run_as(WORKLOAD_UID, [BINARY, "doctor", "-c", "/nonexistent.conf"], environment(), text=True)
    assert done.returncode == 78 and "/nonexistent.conf" in done.stderr, done


main(close=h.stop)
