#!/bin/sh
# SPDX-License-Identifier: PostgreSQL
#
# install-deps.sh build | server | test | bench - installs the Debian packages dbops needs.
#
#   build   compiler, meson and the libraries
#   server  what the quick start runs: a PostgreSQL server and an S3-compatible server
#   test    build + server + everything tests/run.sh and .ci/run use
#   bench   server + the peers that tests/bench/run compares with
#
# Nothing is done when all of it is there already. Needs root or sudo only when it is not.
set -eu

usage() {
	sed -n '3,10s/^# \{0,1\}//p' "$0" >&2
	exit 64
}

build="meson ninja-build gcc libc6-dev pkg-config libpq-dev zlib1g-dev libcurl4-openssl-dev libyaml-dev
	libssl-dev libexpat1-dev libjansson-dev libsmartcols-dev libxxhash-dev"
# ISA-L compresses ten times faster than zlib; the build works without it.
[ "$(dpkg --print-architecture 2>/dev/null)" = i386 ] || build="$build libisal-dev"
server="postgresql postgresql-contrib python3 python3-swift openssl"
test="clang clang-tidy cppcheck shellcheck libcmocka-dev mandoc faketime postgresql-15-hypopg pgbouncer patchelf strace
	python3-pytest python3-pytest-xdist python3-pytest-timeout python3-psycopg python3-boto3 python3-yaml python3-jsonschema
	prometheus
	postgresql-15-cron postgresql-15-partman
	bash zsh fish systemd git"
bench="awscli python3-psycopg python3-boto3"

case "${1:-}" in
build) packages=$build ;;
server) packages=$server ;;
test) packages="$build $server $test" ;;
bench) packages="$server $bench" ;;
*) usage ;;
esac

command -v apt-get >/dev/null 2>&1 || {
	echo "install-deps: no apt-get here; install the equivalents of:" >&2
	echo "$packages" | tr -s '\n\t ' ' ' >&2
	exit 69
}

is_installed() {
	[ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

missing=
for p in $packages; do
	is_installed "$p" || missing="$missing $p"
done
[ -n "$missing" ] || exit 0

as_root=
if [ "$(id -u)" != 0 ]; then
	command -v sudo >/dev/null 2>&1 || {
		echo "install-deps: these packages are missing and there is neither root nor sudo:$missing" >&2
		exit 77
	}
	as_root="sudo"
fi
apt() {
	$as_root env DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1 apt-get -qq \
		-o Dpkg::Use-Pty=0 -o Acquire::Retries=3 "$@" </dev/null
}

echo "install-deps: installing$missing" >&2
apt update
# Debian's postgresql package creates and starts a cluster of its own unless told not to.
case " $missing " in
*" postgresql "*)
	if ! is_installed postgresql-common; then
		apt install -y --no-install-recommends postgresql-common >/dev/null
		$as_root sed -i 's/^#\{0,1\}create_main_cluster.*/create_main_cluster = false/' \
			/etc/postgresql-common/createcluster.conf
	fi
	;;
esac
# shellcheck disable=SC2086 # a list of package names
apt install -y --no-install-recommends $missing >/dev/null
