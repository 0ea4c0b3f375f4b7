#!/bin/sh
# SPDX-License-Identifier: PostgreSQL
#
# run.sh [pytest arguments] - installs what the tests need, builds, runs every test.
#
# Two builds: ./build-test (ASan + UBSan, what the tests run) and ./build-release (optimised, for the tests of
# memory and size). Ends with the line "N passed, N failed"; the exit status is 0 only when nothing failed. With
# CI=true a skipped test counts as failed.
set -u
cd "$(dirname "$0")/.." || exit 1
jobs=$(nproc 2>/dev/null || echo 2)
counts=$(mktemp -d) || exit 1
trap 'rm -rf "$counts"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

stop() {
	echo "run.sh: $*" >&2
	echo "0 passed, 1 failed"
	exit 1
}

# meson_build DIR OPTIONS... - configures once, builds always.
meson_build() {
	dir=$1
	shift
	if [ ! -f "$dir/build.ninja" ]; then
		rm -rf "$dir"
		meson setup "$dir" "$@" >"$counts/setup.log" 2>&1 || { cat "$counts/setup.log"; return 1; }
	fi
	ninja -C "$dir" >"$counts/ninja.log" 2>&1 || { tail -n 100 "$counts/ninja.log"; return 1; }
}

sh contrib/install-deps.sh test || stop "packages are missing"
meson_build build-test --native-file dev.ini || stop "the build with sanitizers failed"
meson_build build-release --buildtype=release -Dtests=false || stop "the release build failed"
# Further PostgreSQL majors: 17 with its own pg_dump from another Debian suite, servers alone from npm. Welcome where they
# can be reached, not required; pytest's last lines say which were there.
if [ "${DBOPS_TEST_SUITES:-yes}" = yes ]; then
	[ -d .pg/17 ] || sh tests/support/pgsuite.sh trixie 17 "$PWD/.pg/17" >"$counts/pgsuite.log" 2>&1 || rm -rf .pg/17
	[ -d .pg/npm ] || sh tests/support/embedded/fetch.sh "$PWD/.pg/npm" >"$counts/npm.log" 2>&1 || rm -rf .pg/npm
fi

status=0
/usr/bin/python3 tests/e2e/support/run_unit.py build-test "$counts/unit" "$jobs" || status=1
DBOPS_TEST_COUNTS=$counts/e2e DBOPS_BUILD=$PWD/build-test DBOPS_RELEASE_BUILD=$PWD/build-release \
	/usr/bin/python3 -m pytest -c tests/e2e/pytest.ini -n "$jobs" --dist loadgroup -q tests/e2e "$@" || status=1

/usr/bin/python3 - "$counts" "$status" <<'PYTHON'
import json, os, pathlib, sys
passed = failed = 0
for name in ("unit", "e2e"):
    path = pathlib.Path(sys.argv[1]) / name
    counts = json.loads(path.read_text()) if path.exists() else {"failed": 1}
    passed += counts.get("passed", 0)
    failed += sum(counts.get(kind, 0) for kind in ("failed", "error", "xpassed"))
    if os.environ.get("CI") == "true":
        failed += counts.get("skipped", 0)
status = int(sys.argv[2])
if status and not failed:
    failed = 1
print(f"{passed} passed, {failed} failed")
sys.exit(1 if failed else 0)
PYTHON
