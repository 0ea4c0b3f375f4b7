# SPDX-License-Identifier: PostgreSQL
"""Runs dbops the way a user does and hands back what the user sees."""
import json
import os
import pathlib
import re
import subprocess

from .servers import ROOT

# Exit statuses, from the list the program itself is built from.
EXIT = {
    name: int(number)
    for number, name in re.findall(r'X\(\w+, (\d+), "(\w+)"', (ROOT / "src/lib/base/exit_codes.def").read_text())
}

SANITIZERS = {
    "ASAN_OPTIONS": "detect_leaks=1:halt_on_error=1:exitcode=99:handle_abort=1",
    "UBSAN_OPTIONS": "halt_on_error=1:exitcode=99:print_stacktrace=1",
    "LSAN_OPTIONS": "exitcode=99",
    "TSAN_OPTIONS": "halt_on_error=1:exitcode=99",
}


def binary(build):
    """The dbops program of a build folder; $DBOPS names another one."""
    for candidate in (pathlib.Path(build) / "src/cmd/dbops", pathlib.Path(build) / "src/dbops"):
        if candidate.exists():
            return candidate
    raise AssertionError(f"no dbops below {build}; run tests/run.sh or set DBOPS_BUILD")


BUILD = pathlib.Path(os.environ.get("DBOPS_BUILD", ROOT / "build-test"))
RELEASE_BUILD = pathlib.Path(os.environ.get("DBOPS_RELEASE_BUILD", ROOT / "build-release"))


class Result:
    def __init__(self, arguments, code, stdout, stderr):
        self.arguments, self.code, self.stdout, self.stderr = arguments, code, stdout, stderr

    def __repr__(self):
        return (f"dbops {' '.join(map(str, self.arguments))}\nexit status {self.code}\n"
                f"--- stdout\n{self.stdout}--- stderr\n{self.stderr}---")

    @property
    def json(self):
        return json.loads(self.stdout)


class Dbops:
    """Callable: dbops("list", "--format=json") -> Result. An exit status that is not expected (default 0) fails the
    test with everything dbops said; so does any report of a sanitizer."""

    def __init__(self, program, folder, env):
        self.program, self.folder = program, folder
        (folder / "home").mkdir(exist_ok=True)
        (folder / "tmp").mkdir(exist_ok=True)
        (folder / "tmp").chmod(0o1777)
        self.env = {"PATH": "/usr/bin:/bin", "HOME": str(folder / "home"), "TMPDIR": str(folder / "tmp"), "LC_ALL": "C.UTF-8",
                    "TZ": "UTC", "AWS_EC2_METADATA_DISABLED": "true", **SANITIZERS, **env}

    def environment(self, env=None):
        merged = {**self.env, **(env or {})}
        return {k: str(v) for k, v in merged.items() if v is not None}

    def start(self, *arguments, env=None, **kwargs):
        """A running dbops (Popen with text pipes)."""
        return subprocess.Popen([str(self.program), *map(str, arguments)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, text=True, cwd=self.folder, env=self.environment(env), **kwargs)

    def finish(self, process, arguments=(), expect=None, timeout=120):
        """Waits for what start() began."""
        stdout, stderr = process.communicate(timeout=timeout)
        return self.judge(Result(arguments, process.returncode, stdout, stderr), expect)

    def __call__(self, *arguments, expect=0, env=None, input=None, timeout=240, prefix=(), cwd=None):
        done = subprocess.run([*map(str, prefix), str(self.program), *map(str, arguments)], capture_output=True, text=True, cwd=cwd or self.folder,
                              env=self.environment(env), timeout=timeout, errors="replace",
                              **({"input": input} if input is not None else {"stdin": subprocess.DEVNULL}))
        return self.judge(Result(arguments, done.returncode, done.stdout, done.stderr), expect)

    @staticmethod
    def judge(result, expect):
        assert result.code != 99 and "AddressSanitizer" not in result.stderr and "runtime error:" not in result.stderr, repr(result)
        if expect is not None:
            expected = {expect} if isinstance(expect, int) else set(expect)
            assert result.code in expected, repr(result)
        if result.code not in (0, 1, 2, 3, None) and result.code > 0:
            assert result.stderr.strip(), f"a failure without a word: {result!r}"
        return result

    def json(self, *arguments, **kwargs):
        return self(*arguments, "--format=json", **kwargs).json
