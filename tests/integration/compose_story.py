"""What ./demo --compose tells: the story of docker/compose.yaml, in an engine that runs or in one of its own. Exits 0 only when every step
passed."""

import os
import re
import sys
import time
import traceback

from engine import ROOT, Project, find_engine
from promise import SKIPPED, Skip, leave

FILE = os.path.join(ROOT, "docker/compose.yaml")
IMAGE = "holdfast-test"
SPOKEN = re.compile(r"^\S*workload[-_]1\s*\| ?(.*)")


def story_project(engine):
    return Project(engine, FILE, HOLDFAST_IMAGE=IMAGE)


def build(project):
    project.do("build")
    project.engine.forget_old_builds()


def tell(project, say):
    """Brings everybody up. (what it exits with, what the workload said, all that was said)"""
    spoken, heard = [], []

    def on_line(line):
        heard.append(line)
        if found := SPOKEN.match(line):
            spoken.append(found[1])
            say(found[1])
    code = project.tell("--ansi", "never", "up", "--no-color", "--abort-on-container-exit", "--exit-code-from", "workload", on_line=on_line)
    return code, spoken, heard


def main():
    begun = time.monotonic()
    engine = find_engine()
    print("An engine of our own, without a way out." if engine.is_ours else "The engine that runs here.")
    print("The images are being made: minutes the first time.", flush=True)
    project = story_project(engine)
    build(project)
    built = time.monotonic()
    print(f"The images are there, after {built - begun:.0f} s.", flush=True)
    code, _, heard = tell(project, lambda line: print(line, flush=True))
    if code != 0:
        print("\n".join(heard))
    project.down()
    print(f"Everything was brought up, told and put away in {time.monotonic() - built:.0f} s.")
    return code == 0


if __name__ == "__main__":
    try:
        status = 0 if main() else 1
    except Skip as why:
        print(f"SKIPPED: {why}")
        status = SKIPPED
    except (Exception, KeyboardInterrupt):
        traceback.print_exc()
        status = 1
    leave(status)
