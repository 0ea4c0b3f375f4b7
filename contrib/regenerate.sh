#!/bin/sh
# SPDX-License-Identifier: PostgreSQL
#
# regenerate.sh BUILDDIR [OUTDIR] - writes the manual pages and completions that are made from the command
# tables into OUTDIR/man and OUTDIR/completions (default: this checkout). Run it after a change of a command
# and commit the result; tests/e2e/test_cli_contract.py fails when the committed files differ.
#
# A file man/NAME.roff (backup.roff for dbops-backup.1, dbops.roff, dbops.yaml.roff) is prose by hand: it is
# put into the page before SEE ALSO.
set -eu

usage()
{
	echo "usage: regenerate.sh BUILDDIR [OUTDIR]" >&2
	exit 64
}

case $# in 1 | 2) ;; *) usage ;; esac
source=$(cd "$(dirname "$0")/.." && pwd)
out=${2:-$source}
dbops=${DBOPS_BIN:-$1/src/cmd/dbops}
[ -x "$dbops" ] || { echo "regenerate.sh: there is no $dbops" >&2; exit 66; }
mkdir -p "$out/man" "$out/completions"

# page FILE WORD... - one manual page, with its prose
page()
{
	file=$1
	shift
	name=${file%.[15]}
	prose=$source/man/${name#dbops-}.roff
	[ -f "$prose" ] || prose=/dev/null
	"$dbops" help --format man "$@" >"$out/man/$file.tmp"
	awk -v prose="$prose" '
		$0 == ".SH SEE ALSO" {
			while ((getline line < prose) > 0)
				if (line !~ /^\.\\" SPDX/)
					print line
		}
		{ print }
	' "$out/man/$file.tmp" >"$out/man/$file"
	rm "$out/man/$file.tmp"
}

rm -f "$out"/man/dbops*.[15]
"$dbops" help --format json | sed -n 's/^ *"path": "\(.*\)",$/\1/p' | while read -r path; do
	# shellcheck disable=SC2086 # the words of a command's path
	page "$(echo "$path" | tr ' ' -).1" ${path#dbops}
done
page dbops.yaml.5 dbops.yaml

{
	echo "# SPDX-License-Identifier: PostgreSQL"
	echo "# Made by contrib/regenerate.sh."
	echo "install_man("
	(cd "$out/man" && LC_ALL=C ls dbops*.[15]) | sed "s/.*/    '&',/"
	echo ")"
} >"$out/man/meson.build"

"$dbops" completion bash >"$out/completions/dbops.bash"
"$dbops" completion zsh >"$out/completions/_dbops"
"$dbops" completion fish >"$out/completions/dbops.fish"
