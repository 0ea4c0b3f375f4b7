#!/bin/sh
# SPDX-License-Identifier: PostgreSQL
#
# quickstart.sh [stop] - dbops at work in a few minutes, on a bare Debian 12, as root or with sudo.
#
# Installs packages, builds, starts a throw-away PostgreSQL with sample data and a real S3-compatible server on
# loopback, then runs backup, list, verify, restore and the inspections against them and prints what they print. Everything lies in
# ./.quickstart. Run it again: it goes on from what is there. "stop" ends both servers and removes their data.
set -eu
cd "$(dirname "$0")/.."
top=$PWD
here=$top/.quickstart
mkdir -p "$here"

say() { printf '\n\033[1m%s\033[0m\n' "$*"; }
[ -t 1 ] || say() { printf '\n%s\n' "$*"; }

# A running process of ours: pid file and a word of its command line, so that a reused pid is not taken for it.
running() {
	[ -s "$1" ] && pid=$(head -n 1 "$1") && [ -r "/proc/$pid/cmdline" ] && tr '\0' ' ' <"/proc/$pid/cmdline" | grep -q -- "$2"
}

# The server refuses to run as root: then it runs as postgres, in a folder that user can reach.
if [ "$(id -u)" = 0 ]; then
	as_postgres="setpriv --reuid=postgres --regid=postgres --clear-groups"
else
	as_postgres=
fi
pg_folder() {
	if [ -s "$here/pg.path" ]; then
		cat "$here/pg.path"
		return
	fi
	folder=$here/pg
	mkdir -p "$folder"
	# Too long for a unix socket, or below a folder that only root may enter (/root): a private folder in /tmp.
	if [ "${#folder}" -gt 85 ] || ! $as_postgres test -x "$folder"; then
		rmdir "$folder"
		folder=$(mktemp -d /tmp/dbops-quickstart.XXXXXX)
	fi
	[ -z "$as_postgres" ] || chown postgres:postgres "$folder"
	chmod 700 "$folder"
	echo "$folder" >"$here/pg.path"
	echo "$folder"
}

stop() {
	if [ -s "$here/pg.path" ]; then
		pg=$(cat "$here/pg.path")
		if running "$pg/data/postmaster.pid" "$pg/data"; then
			kill -INT "$pid"
			while [ -e "/proc/$pid" ]; do sleep 0.1; done
		fi
		rm -rf "$pg"
	fi
	if running "$here/s3.pid" s3-server; then
		kill "$pid"
	fi
	rm -rf "$here/s3" "$here/s3.pid" "$here/pg.path" "$here/backups" "$here/dbops.yaml" "$here/secret" "$here/env"
	echo "Both servers are stopped and their data is removed; the build stays in $here/build."
}

case "${1:-}" in
'') ;;
stop)
	stop
	exit 0
	;;
*)
	sed -n '3,8s/^# \{0,1\}//p' "$0" >&2
	exit 64
	;;
esac

say "1. Packages and build"
sh contrib/install-deps.sh build
sh contrib/install-deps.sh server
build() {
	[ -f "$here/build/build.ninja" ] || meson setup "$here/build" --buildtype=release -Dtests=false || return
	ninja -C "$here/build"
}
build >"$here/build.log" 2>&1 || { tail -n 50 "$here/build.log"; exit 1; }
dbops=$here/build/src/cmd/dbops
"$dbops" version

say "2. A PostgreSQL server with sample data"
bin=$(find /usr/lib/postgresql -path '*/bin/postgres' 2>/dev/null | sort -V | tail -n 1)
bin=${bin%/postgres}
[ -n "$bin" ] || { echo "no PostgreSQL server was found in /usr/lib/postgresql" >&2; exit 69; }
pg=$(pg_folder)
export PGHOST="$pg" PGPORT=5432 PGUSER=postgres
if ! running "$pg/data/postmaster.pid" "$pg/data"; then
	[ -s "$pg/data/PG_VERSION" ] || (cd / && $as_postgres "$bin/initdb" -D "$pg/data" -N -A trust -U postgres -E UTF8 --locale=C.UTF-8 >/dev/null)
	(cd / && $as_postgres "$bin/pg_ctl" -D "$pg/data" -w -s -l "$pg/log" start \
		-o "-c listen_addresses= -c unix_socket_directories='$pg' -c port=5432 -c fsync=off -c max_wal_size=2GB -c shared_preload_libraries=pg_stat_statements")
fi
if [ -z "$("$bin/psql" -XAt -d postgres -c "SELECT datname FROM pg_database WHERE datname = 'shop'")" ]; then
	"$bin/dropdb" --if-exists shop_loading 2>/dev/null
	"$bin/createdb" shop_loading
	"$bin/psql" -Xq -v ON_ERROR_STOP=1 -d shop_loading -f contrib/quickstart.sql >/dev/null
	"$bin/psql" -Xq -d postgres -c 'ALTER DATABASE shop_loading RENAME TO shop'
fi
"$bin/psql" -X -d shop -c "SELECT relname AS table, to_char(reltuples, '999,999,999') AS rows,
	pg_size_pretty(pg_table_size(oid)) AS size FROM pg_class
	WHERE relkind = 'r' AND relnamespace IN ('public'::regnamespace, 'archive'::regnamespace) ORDER BY pg_table_size(oid) DESC LIMIT 6"

say "3. An S3-compatible server on loopback (OpenStack Swift's S3 API)"
if ! running "$here/s3.pid" s3-server; then
	mkdir -p "$here/s3"
	rm -f "$here/s3/ready"
	setsid nohup /usr/bin/python3 tests/support/s3-server "$here/s3" 0 --create-bucket backups >"$here/s3.log" 2>&1 </dev/null &
	echo $! >"$here/s3.pid"
	tries=0
	until [ -e "$here/s3/ready" ]; do
		tries=$((tries + 1))
		if [ "$tries" -gt 300 ] || ! kill -0 "$(cat "$here/s3.pid")" 2>/dev/null; then
			cat "$here/s3.log" >&2
			exit 69
		fi
		sleep 0.1
	done
fi
port=$(tr -d '[:space:]' <"$here/s3/ready")
(umask 077 && printf 'testing\n' >"$here/secret")
cat >"$here/dbops.yaml" <<CONFIG
# Written by contrib/quickstart.sh.
backup:
  dir: $here/backups
remotes:
  s3:
    bucket: backups
    prefix: quickstart
    endpoint: http://127.0.0.1:$port
    region: us-east-1
    access_key_id: "test:tester"
    secret_access_key_file: $here/secret
CONFIG
cat >"$here/env" <<ENVIRONMENT
export PGHOST='$pg' PGPORT=5432 PGUSER=postgres DBOPS_CONFIG='$here/dbops.yaml' PATH="$here/build/src/cmd:\$PATH"
ENVIRONMENT
echo "bucket \"backups\" at http://127.0.0.1:$port"
# shellcheck disable=SC1091
. "$here/env"

# run WORDS... - shows a command as one would type it, and runs it.
run() {
	say "\$ $*"
	"$@"
}

say "4. Back up, look, prove, restore"
run dbops backup -d shop --upload s3
run dbops list --from s3
run dbops verify latest --from s3 --restore
"$bin/dropdb" --if-exists restored 2>/dev/null
run dbops restore latest --from s3 --to-db restored --create --yes
"$bin/psql" -X -d restored -c "SELECT count(*) AS events, max(at) AS newest, (SELECT count(*) FROM \"Customers\") AS customers FROM events"

say "5. What the database is doing"
run dbops connections -d shop
run dbops slow-queries -d shop --limit 3
run dbops indexes audit -d shop
run dbops partitions list -d shop

cat <<NEXT

dbops is built: $dbops
Both servers keep running. Try next, in this shell:

  . .quickstart/env
  dbops list --from s3
  dbops show latest --from s3
  dbops restore latest --from s3 --list
  dbops restore latest --to-db copy --create --table Customers --yes
  dbops backup -d shop --upload s3 --no-local --format json
  dbops prune --from s3 --keep-last 1
  dbops locks -d shop --watch 1s
  dbops locks forecast -d shop 'ALTER TABLE events ADD COLUMN note text'
  dbops indexes audit -d shop --sql
  dbops partitions create orders -d shop --interval '1 year' --ahead 2 --dry-run
  dbops connections -d shop --format prom
  psql restored

Stop both servers and remove their data:

  sh contrib/quickstart.sh stop
NEXT
