"""The ops door, as a witness: probes, scrapes, and what promtool says of a page."""

import os
import re
import shutil
import subprocess
import urllib.error
import urllib.request

from holdfast import ROOT, Skip

DOOR = ', { kind = "ops"; listen = "127.0.0.1:0"; }'
SAMPLE = re.compile(r'^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)$')
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)"')


def promtool(*arguments, data=None):
    """(exit code, what it said)"""
    tool = shutil.which("promtool") or os.path.join(ROOT, "build/tools/promtool")
    if not os.path.exists(tool):
        raise Skip("promtool is not here (it is in Debian's prometheus; ./test fetches it)")
    told = subprocess.run([tool, *arguments], input=data, capture_output=True, check=False)
    return told.returncode, (told.stdout + told.stderr).decode()


def ask(h, path, timeout=60, **fields):
    """(status, body, headers) of one GET."""
    request = urllib.request.Request("http://%s:%d%s" % (*h.door("ops"), path), headers=fields)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=timeout) as answer:
            return answer.status, answer.read().decode(), answer.headers
    except urllib.error.HTTPError as answer:
        return answer.code, answer.read().decode(), answer.headers


class Page:
    """One scrape."""

    def __init__(self, h, **fields):
        status, self.text, self.headers = ask(h, "/metrics", **fields)
        assert status == 200, self.text
        self.samples, self.types, self.helps = {}, {}, {}
        for line in self.text.splitlines():
            if line.startswith("#"):
                self._read_comment(line)
                continue
            match = SAMPLE.match(line)
            assert match, line
            labels = tuple(sorted(LABEL.findall(match[2] or "")))
            assert (match[1], labels) not in self.samples, "told twice: " + line
            self.samples[match[1], labels] = float(match[3])

    def _read_comment(self, line):
        if line == "# EOF":
            return
        _, kind, name, told = line.split(" ", 3)
        where = {"TYPE": self.types, "HELP": self.helps}[kind]
        assert name not in where, line
        where[name] = told

    def get(self, name, **labels):
        return self.samples[name, tuple(sorted(labels.items()))]

    def total(self, name, **labels):
        """The sum over all series that have these labels."""
        wanted = set(labels.items())
        return sum(v for (n, ls), v in self.samples.items() if n == name and wanted <= set(ls))

    def since(self, before):
        """What has changed: {(name, labels): difference}"""
        return {k: v - before.samples.get(k, 0) for k, v in self.samples.items() if v != before.samples.get(k, 0)}
