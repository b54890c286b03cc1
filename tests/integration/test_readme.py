"""What README.md prints of ./demo is what ./demo says."""

import os
import re
import subprocess
import sys

from promise import Skip, SKIPPED, main, promise

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
STORY = os.path.join(ROOT, "tests/integration/story.py")


DIFFERENT = [(r"in \d+\.\d s\.", "in a moment."), (r"/\S*/(?=sidecar\.conf)", ""), (r"\bt-[\w-]+…?", "TASK"),
             (r"\d{4}-\d\d-\d\dT[\d:.]+Z", "TIME"), (r"\d+ ms later", "N ms later"), (r"ms=\d+", "ms=N"),
             (r"jsonl:\d+", "jsonl:N"), (r"record \d+", "record N")]


def plain(text):
    """Lines without what differs from one telling to the next."""
    for pattern, word in DIFFERENT:
        text = re.sub(pattern, word, text)
    return [line.rstrip() for line in text.splitlines() if line.strip()]


@promise
def every_line_printed_of_the_demo_is_told_by_it_in_that_order():
    told = subprocess.run([sys.executable, "-B", STORY], capture_output=True, text=True, timeout=300, check=False)
    if told.returncode == SKIPPED:
        raise Skip(told.stdout.strip())
    assert told.returncode == 0, told.stdout + told.stderr
    left_out = re.search(r"LEFT OUT: (.*)", told.stdout)
    if left_out:
        raise Skip(left_out[1])
    with open(os.path.join(ROOT, "README.md"), encoding="utf-8") as f:
        printed = next(b for b in f.read().split("```") if "steps, all passed" in b)
    rest = iter(plain(told.stdout))
    missing = [line for line in plain(printed) if line != "…" and line not in rest]
    assert not missing, (missing[0], told.stdout)


main()
