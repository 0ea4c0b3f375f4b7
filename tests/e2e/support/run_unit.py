#!/usr/bin/python3
# SPDX-License-Identifier: PostgreSQL
"""run_unit.py BUILD COUNTS [JOBS] - runs every test of a meson build and counts its cases.

A cmocka program reports its cases as TAP; a program without TAP is one case. A program that dies, times out or
exits non-zero without a failing case is a failed case of its own. Writes {"passed": N, "failed": N} to COUNTS.
"""
import concurrent.futures
import json
import os
import pathlib
import re
import subprocess
import sys

from_here = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(from_here.parent))
from support.runner import SANITIZERS  # noqa: E402


def run(test):
    env = {**os.environ, **SANITIZERS, "CMOCKA_MESSAGE_OUTPUT": "TAP", "MALLOC_PERTURB_": "165", **test["env"]}
    try:
        done = subprocess.run(test["cmd"], env=env, cwd=test["workdir"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, errors="replace", timeout=test["timeout"] or 300)
        code, output = done.returncode, done.stdout
    except subprocess.TimeoutExpired as expired:
        code, output = "timeout", (expired.stdout or b"").decode(errors="replace")
    passed = len(re.findall(r"^ok\b", output, re.M))
    failed = len(re.findall(r"^not ok\b", output, re.M))
    if passed + failed == 0:
        passed, failed = (1, 0) if code == 0 else (0, 1)
    elif code != 0 and failed == 0:
        failed = 1
    return test["name"], code, passed, failed, output


def main():
    build, counts = sys.argv[1:3]
    jobs = int(sys.argv[3]) if len(sys.argv) > 3 else os.cpu_count()
    tests = json.loads(subprocess.check_output(["meson", "introspect", "--tests", build]))
    passed = failed = 0
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        for name, code, good, bad, output in pool.map(run, tests):
            passed, failed = passed + good, failed + bad
            print(f"{'FAIL' if bad else 'ok  '} {name}: {good} passed, {bad} failed")
            if bad:
                print(output, f"(exit status {code})", sep="\n")
    pathlib.Path(counts).write_text(json.dumps({"passed": passed, "failed": failed}))
    print(f"unit tests: {passed} passed, {failed} failed in {len(tests)} programs")
    sys.exit(failed > 0 or not tests)


if __name__ == "__main__":
    main()
