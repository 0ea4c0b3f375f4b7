#!/bin/sh
# SPDX-License-Identifier: PostgreSQL
#
# pgsuite.sh SUITE MAJOR FOLDER - PostgreSQL MAJOR with its clients from another Debian suite
# (trixie has 17, forky 18), unpacked into FOLDER, which must not move afterwards:
#
#	sh tests/support/pgsuite.sh trixie 17 "$PWD/.pg/17"
#	.pg/17/usr/lib/postgresql/17/bin/pg_dump --version
#
# Nothing outside FOLDER changes: apt works on its own lists, cache and package state below
# FOLDER/.apt, with this machine's mirror and proxy and its installed keyring; packages are
# unpacked, not installed. Their programs then get the loader and the libraries of the suite they
# come from. A complete FOLDER is left as it is. Needs apt-get, dpkg-deb and patchelf.
set -eu

if [ $# -ne 3 ]; then
	echo "usage: pgsuite.sh SUITE MAJOR FOLDER" >&2
	exit 64
fi
suite=$1 major=$2
case $3 in /*) folder=$3 ;; *) folder=$PWD/$3 ;; esac
bin=$folder/usr/lib/postgresql/$major/bin
apt=$folder/.apt
keyring=/usr/share/keyrings/debian-archive-keyring.gpg

fail() {
	echo "pgsuite.sh: $*" >&2
	exit 69
}

# The programs that the tests use; each must at least print its version.
works() {
	for program in initdb postgres pg_dump pg_dumpall pg_restore psql; do
		[ "$("$bin/$program" --version 2>/dev/null | sed 's/.*(PostgreSQL) \([0-9]*\).*/\1/')" = "$major" ] ||
			return 1
	done
}

# The first Debian mirror of this machine, in either format of sources.
mirror() {
	for file in /etc/apt/sources.list.d/*.sources; do
		[ -r "$file" ] && awk '/^URIs:/ && $2 ~ /debian\/*$/ { print $2; exit }' "$file"
	done | head -n 1 | grep . && return
	sed -n 's/^deb[[:space:]]\{1,\}\(\[[^]]*\][[:space:]]*\)\{0,1\}\([a-z+]*:\/\/[^[:space:]]*\).*/\2/p' \
		/etc/apt/sources.list /etc/apt/sources.list.d/*.list 2>/dev/null | grep 'debian/*$' | head -n 1 | grep .
}

write_apt_conf() {
	mkdir -p "$apt/lists/partial" "$apt/cache/archives/partial" "$apt/etc/preferences.d" "$apt/etc/apt.conf.d"
	: >"$apt/status"
	echo "deb [signed-by=$keyring] $1 $suite main" >"$apt/sources.list"
	# a mirror that lags may hand out a testing suite past its date; the signature is still checked
	cat >"$apt/apt.conf" <<-CONF
		Dir::State "$apt"; Dir::State::lists "$apt/lists"; Dir::State::status "$apt/status";
		Dir::Cache "$apt/cache"; Dir::Etc "$apt/etc"; Dir::Etc::sourcelist "$apt/sources.list";
		Dir::Etc::sourceparts "-"; APT::Sandbox::User "root"; Acquire::Languages "none";
		Acquire::Retries "3"; Acquire::Check-Valid-Until "false"; Debug::NoLocking "true";
	CONF
	# the proxy of this machine; its other settings would point back at its own state
	apt-config dump 2>/dev/null | grep -E '^Acquire::https?::' >>"$apt/apt.conf" || true
}

download() {
	export APT_CONFIG="$apt/apt.conf"
	apt-get -qq update >"$apt/log" 2>&1 &&
		apt-get -y -qq --download-only --no-install-recommends install \
			"postgresql-$major" "postgresql-client-$major" >>"$apt/log" 2>&1
}

unpack() {
	for deb in "$apt"/cache/archives/*.deb; do
		case ${deb##*/} in
		libperl* | libllvm* | libz3* | libpython*) ;;
		lib* | zlib1g* | "postgresql-$major"* | "postgresql-client-$major"*) dpkg-deb -x "$deb" "$folder" ;;
		esac
	done
}

# Loader and libraries of the suite: its libc is newer than ours.
relocate() {
	loader=$(find "$folder" -name 'ld-linux*.so.[0-9]*' | head -n 1)
	libc=$(find "$folder" -name 'libc.so.6' | head -n 1)
	if [ -z "$loader" ] || [ -z "$libc" ]; then
		fail "the packages of $suite hold no C library"
	fi
	libraries=$(dirname "$libc")
	case $libraries in
	*/usr/lib/*) ;;
	*) libraries=$libraries:$folder/usr/lib/${libraries##*/} ;;
	esac
	for program in "$bin"/*; do
		# scripts among them have no interpreter of this kind
		patchelf --set-interpreter "$loader" --force-rpath --set-rpath "$libraries" "$program" 2>/dev/null || true
	done
}

if works; then
	echo "PostgreSQL $major is already in $bin"
	exit 0
fi
for program in apt-get dpkg-deb patchelf; do
	command -v "$program" >/dev/null || fail "\"$program\" is not installed"
done
[ -r "$keyring" ] || fail "\"$keyring\" is missing; install debian-archive-keyring"
uri=$(mirror) || fail "no Debian mirror found below /etc/apt"
write_apt_conf "$uri"
if ! download; then
	tail -n 5 "$apt/log" >&2
	fail "apt-get could not fetch PostgreSQL $major from $suite"
fi
unpack
relocate
rm -rf "$apt" "$folder/usr/share/doc" "$folder/usr/share/locale" "$folder/usr/share/man"
works || fail "the programs in $bin do not run here"
echo "$("$bin/postgres" --version) is in $bin"
