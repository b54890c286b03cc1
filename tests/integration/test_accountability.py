"""docs/ACCOUNTABILITY.md sends an auditor to commands, figures, findings and reasons: each of them is there."""

import os
import re
import subprocess

from promise import main, promise

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BINARY = os.environ["HOLDFAST_BINARY"]
CONTROLS = 14


def page(name):
    with open(os.path.join(ROOT, "docs", name), encoding="utf-8") as f:
        return f.read()


def usage():
    """What each verb takes: {"audit show": {"--task", …}}"""
    told = subprocess.run([BINARY, "--help"], capture_output=True, text=True, timeout=60, check=True).stdout
    verbs = {}
    for line in told.splitlines():
        said = re.match(r"(?:usage:)?\s+holdfast ([a-z]+)((?: +[a-z]+(?:\|[a-z]+)*)?)(?= |$)", line)
        if said:
            for second in said[2].strip().split("|"):
                verbs.setdefault(f"{said[1]} {second}".strip(), set()).update(re.findall(r"--[a-z]+", line))
    return verbs


def commands():
    return re.findall(r"`holdfast ([^`]*)`", page("ACCOUNTABILITY.md"))


@promise
def every_command_it_names_is_in_the_usage_text():
    verbs = usage()
    assert len(commands()) > 20 and len(verbs) > 8, (commands(), verbs)
    for command in commands():
        words = command.split()
        known = [v for v in (" ".join(words[:2]), words[0]) if v in verbs]
        assert known, f"holdfast {command}: no such verb in {sorted(verbs)}"
        options = {w for w in words if w.startswith("--")}
        assert options <= verbs[known[0]], f"holdfast {command}: {options - verbs[known[0]]} is no option of {known[0]}"


@promise
def every_figure_finding_and_reason_it_names_is_told_of_elsewhere():
    told = page("ACCOUNTABILITY.md")
    operating, reasons = page("OPERATING.md"), page("REASONS.md")
    figures = set(re.findall(r"`(holdfast_\w+)`", told))
    assert len(figures) > 5 and not {f for f in figures if f"`{f}" not in operating}, figures
    for command, words in re.findall(r"`holdfast ([^`]*)` \(((?:`\w+`(?:, )?)+)\)", told):
        source = operating if "--lint" in command else reasons
        for word in re.findall(r"`(\w+)`", words):
            assert f"`{word}`" in source, f"holdfast {command}: {word}"


@promise
def every_control_has_a_row_and_is_asked_for_by_each_framework():
    parts = page("ACCOUNTABILITY.md").split("\n## ")
    controls = re.findall(r"^\| (C\d+) \|", parts[1], re.M)
    assert controls == [f"C{i}" for i in range(1, CONTROLS + 1)], controls
    assert len(parts) == 6
    for framework in parts[2:]:
        assert set(re.findall(r"\bC\d+\b", framework)) <= set(controls), framework.splitlines()[0]
    assert set(re.findall(r"\bC\d+\b", "".join(parts[2:]))) == set(controls)
    assert re.findall(r"^\| NHI(\d+):2025 ", parts[2], re.M) == [str(i) for i in range(1, 11)]
    assert re.findall(r"^\| (\d) ", parts[3], re.M) == [str(i) for i in range(1, 8)]


main()
