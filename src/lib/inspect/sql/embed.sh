#!/bin/sh
# SPDX-License-Identifier: PostgreSQL
#
# embed.sh FILE.sql... - prints C that defines each file's text as sql_FILE. The build runs it.
set -eu
echo '/* Made by embed.sh. */'
echo '#include "sql.h"'
for file; do
	name=$(basename "$file" .sql)
	printf '\nconst char sql_%s[] =\n' "$name"
	sed -e 's/\\/\\\\/g' -e 's/"/\\"/g' -e 's/^/\t"/' -e 's/$/\\n"/' "$file"
	echo '	;'
done
