#!/bin/sh
# SPDX-License-Identifier: PostgreSQL
#
# fetch.sh FOLDER - PostgreSQL servers 13, 14, 16, 17 and 18 (initdb, postgres, contrib; no client programs) below
# FOLDER/node_modules/pgN, from npm, by exact version and hash. Needs npm.
set -eu

[ $# = 1 ] || { sed -n '4,5s/^# \{0,1\}//p' "$0" >&2; exit 64; }
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$1"
cp "$here/package.json" "$here/package-lock.json" "$1/"
cd "$1"
npm ci --ignore-scripts --no-audit --no-fund --loglevel=error >/dev/null
# The packages carry their libraries' symbolic links as a list that an install script would make.
for package in node_modules/pg*; do
	(cd "$package" && node scripts/hydrate-symlinks.js)
done
