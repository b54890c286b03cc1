"""Day one: the tools that people run first, unmodified, through either way out: what each printed, what the service was asked, and
what the log says agree. README.md prints the table that is tried here."""

import os
import re

from day_one_clients import ROWS
from day_one_scene import Scene
from holdfast import ROOT, main, promise, rows

s = Scene()


@rows(ROWS)
def through_the_transparent_door_it_works(row):
    row[3](s, "transparent")


@rows(ROWS)
def through_the_forward_door_it_works(row):
    row[3](s, "forward")


@promise
def the_readme_has_the_same_table():
    with open(os.path.join(ROOT, "README.md"), encoding="utf-8") as f:
        printed = re.search(r"<!-- day one -->\n\|[^\n]*\n\|[-|]*\n((?:\|[^\n]*\n)+)", f.read())
    wanted = "".join(f"| {client} | {transparent} | {forward} |\n" for client, transparent, forward, _ in ROWS)
    assert printed and printed[1] == wanted, f"README.md should have:\n{wanted}"


main(s.end)
