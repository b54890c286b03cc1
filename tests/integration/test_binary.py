"""The binary we ship: hardened as docs/THREAT-MODEL.md says, clean under valgrind, and its words for operators."""

import os
import re
import shutil
import subprocess

from holdfast import (ADDRESSES, BINARY, PROXY_UID, RELEASE, ROOT, WORKLOAD_UID, Sidecar, Skip, Workspace, main,
                      own_network, promise, rows)

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
    """Debian's start files carry no CET note, so the binary has none; its own functions are marked all the same."""
    code = subprocess.run(["objdump", "-d", "--no-show-raw-insn", shipped()], capture_output=True, text=True, check=True).stdout
    starts = re.findall(r"<(holdfast_\w+|conn_accept|exchange_wake)>:\n\s+[0-9a-f]+:\s+(\S+)", code)
    assert starts and all(first == "endbr64" for _, first in starts), starts


@promise
def it_is_clean_under_valgrind():
    if shutil.which("valgrind") is None:
        raise Skip("there is no valgrind")
    report = os.path.join(ws.directory("valgrind"), "report")
    s = Sidecar(binary=shipped(), also=', { host = "gone.test"; methods = "any"; paths = "any"; }',
                argv_before=["valgrind", "--quiet", "--leak-check=full", "--errors-for-leak-kinds=definite,possible",
                             "--error-exitcode=99", f"--log-file={report}"])
    with s.h.tls() as c:
        for i in range(3):
            assert c.request("POST", f"/{i}", "allowed.test", body=b"x" * 1000).status == 200
    assert s.h.get(target="denied.test:443").status == 403
    assert s.h.get(target="gone.test:443").status == 502
    s.h.reload(s.config())
    s.h.reload(lambda h: s.config()(h).replace("methods =", "methdos ="))
    assert s.h.get().status == 200
    s.h.kill(15)
    code = s.h.wait_exit(120)
    text = open(report, encoding="utf-8").read() if os.path.exists(report) else ""
    assert code == 0 and "ERROR SUMMARY" not in text.replace("ERROR SUMMARY: 0 errors", ""), (code, text)
    assert "definitely lost" not in text, text


# ---- words for operators

def holdfast(*words):
    # Who changed its uid cannot be looked at by the leak checker; the unit tests are.
    return subprocess.run([BINARY, *words], capture_output=True, text=True, timeout=60,
                          env={**os.environ, "ASAN_OPTIONS": "detect_leaks=0"})


@promise
def version_tells_the_version():
    with open(os.path.join(ROOT, "CMakeLists.txt"), encoding="utf-8") as f:
        version = re.search(r"VERSION (\d+\.\d+\.\d+)", f.read()).group(1)
    done = holdfast("version")
    assert done.returncode == 0 and version in done.stdout, done


def example(name):
    """An example as it stands, with its paths and its user moved to where this machine has some."""
    leaf = ws.leaf("orders.example")
    os.chown(leaf.key, PROXY_UID, PROXY_UID)
    jwks = ws.file("prod.jwks.json", '{"keys":[]}')
    with open(os.path.join(ROOT, "conf/examples", name), encoding="utf-8") as f:
        text = f.read()
    for old, new in (("/etc/holdfast/gate.pem", leaf.certificate), ("/run/secrets/gate.key", leaf.key),
                     ("/etc/holdfast/prod.jwks.json", jwks), ("/run/holdfast", ws.directory("run")),
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
def lint_tells_what_is_questionable():
    done = holdfast("check", "-c", example("quickstart.conf"), "--lint")
    assert done.returncode == 1 and "standing" in done.stdout, done


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


@promise
def explain_knows_whose_request_it_is():
    done = holdfast("explain", "-c", example("quickstart.conf"), "--uid", str(WORKLOAD_UID), "GET",
                    "https://orders.example/v1/orders/7")
    assert done.returncode == 3 and "caller_not_allowed" in done.stdout + done.stderr, done


main(ws.remove)
