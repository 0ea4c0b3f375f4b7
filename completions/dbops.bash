# bash completion for dbops                                  -*- shell-script -*-
# Made by 'dbops completion bash' from the command tables.

# Sets commands, options, values (options that take one), files and folders.
_dbops_facts()
{
	commands='' options='' values='' files='' folders=''
	case $1 in
	'dbops')
		commands='backup list show verify restore prune indexes connections slow-queries locks partitions config completion help version'
		options='--config --profile --quiet --verbose --log-format --progress --color --help --version'
		values='--config --profile --log-format --progress --color'
		files='--config'
		;;
	'dbops backup')
		options='--dir --upload --no-local --label --table --exclude-table --schema --exclude-schema --exclude-table-data --schema-only --data-only --no-globals --jobs --compress --lock-timeout --split-above --no-split --part-size --pg-bindir --keep-last --keep-daily --keep-weekly --keep-monthly --keep-yearly --keep-days --keep-within --lease --format --ca-file --dbname --host --port --username --no-password --config --profile --quiet --verbose --log-format --progress --color --help'
		values='--dir --upload --label --table -t --exclude-table -T --schema -n --exclude-schema -N --exclude-table-data --jobs -j --compress -Z --lock-timeout --split-above --part-size --pg-bindir --keep-last --keep-daily --keep-weekly --keep-monthly --keep-yearly --keep-days --keep-within --lease --format --ca-file --dbname -d --host -h --port -p --username -U --config --profile --log-format --progress --color'
		files='--ca-file --config'
		folders='--dir --pg-bindir'
		;;
	'dbops list')
		options='--database --label --complete --max-age --format --dir --from --ca-file --config --profile --quiet --verbose --log-format --progress --color --help'
		values='--database --label --max-age --format --dir --from --ca-file --config --profile --log-format --progress --color'
		files='--ca-file --config'
		folders='--dir'
		;;
	'dbops show')
		options='--database --format --dir --from --ca-file --config --profile --quiet --verbose --log-format --progress --color --help'
		values='--database --format --dir --from --ca-file --config --profile --log-format --progress --color'
		files='--ca-file --config'
		folders='--dir'
		;;
	'dbops verify')
		options='--quick --restore --database --jobs --scratch-dir --run-as --pg-bindir --keep --no-record --format --dir --from --ca-file --config --profile --quiet --verbose --log-format --progress --color --help'
		values='--database --jobs -j --scratch-dir --run-as --pg-bindir --format --dir --from --ca-file --config --profile --log-format --progress --color'
		files='--ca-file --config'
		folders='--scratch-dir --pg-bindir --dir'
		;;
	'dbops restore')
		options='--to-db --create --into-nonempty --clean --if-exists --database --table --schema --schema-only --data-only --list --jobs --no-owner --no-privileges --no-tablespaces --disable-triggers --no-check --no-verify --keep-going --pg-bindir --format --dry-run --yes --dir --from --ca-file --dbname --host --port --username --no-password --config --profile --quiet --verbose --log-format --progress --color --help'
		values='--to-db --database --table -t --schema --jobs -j --pg-bindir --format --dir --from --ca-file --dbname -d --host -h --port -p --username -U --config --profile --log-format --progress --color'
		files='--ca-file --config'
		folders='--pg-bindir --dir'
		;;
	'dbops prune')
		options='--keep-last --keep-daily --keep-weekly --keep-monthly --keep-yearly --keep-days --keep-within --lease --database --label --format --dry-run --yes --dir --from --ca-file --config --profile --quiet --verbose --log-format --progress --color --help'
		values='--keep-last --keep-daily --keep-weekly --keep-monthly --keep-yearly --keep-days --keep-within --lease --database --label --format --dir --from --ca-file --config --profile --log-format --progress --color'
		files='--ca-file --config'
		folders='--dir'
		;;
	'dbops indexes')
		commands='audit'
		options='--config --profile --quiet --verbose --log-format --progress --color --help'
		values='--config --profile --log-format --progress --color'
		files='--config'
		;;
	'dbops indexes audit')
		options='--schema --table --only --min-size --min-age --standby --exact --prove --expect --sql --all --format --check --watch --output --statement-timeout --lock-timeout --interval --since --save --dbname --host --port --username --no-password --config --profile --quiet --verbose --log-format --progress --color --help'
		values='--schema --table --only --min-size --min-age --standby --expect --format --watch --output -o --statement-timeout --lock-timeout --interval --since --save --dbname -d --host -h --port -p --username -U --config --profile --log-format --progress --color'
		files='--expect --output -o --since --save --config'
		;;
	'dbops connections')
		commands='plan cancel terminate'
		options='--by --pgbouncer --warning --critical --idle-warning --idle-critical --transaction-warning --transaction-critical --xmin-warning --xmin-critical --pool-wait-warning --pool-wait-critical --yellow --red --format --check --watch --output --statement-timeout --lock-timeout --interval --since --save --dbname --host --port --username --no-password --config --profile --quiet --verbose --log-format --progress --color --help'
		values='--by -b --pgbouncer --warning --critical --idle-warning --idle-critical --transaction-warning --transaction-critical --xmin-warning --xmin-critical --pool-wait-warning --pool-wait-critical --yellow --red --format --watch --output -o --statement-timeout --lock-timeout --interval --since --save --dbname -d --host -h --port -p --username -U --config --profile --log-format --progress --color'
		files='--output -o --since --save --config'
		;;
	'dbops connections plan')
		options='--format --dbname --host --port --username --no-password --config --profile --quiet --verbose --log-format --progress --color --help'
		values='--format --dbname -d --host -h --port -p --username -U --config --profile --log-format --progress --color'
		files='--config'
		;;
	'dbops connections cancel')
		options='--escalate --expect-start --idle-in-transaction --state --older-than --role --database --application --client --force --wait --format --dry-run --yes --dbname --host --port --username --no-password --config --profile --quiet --verbose --log-format --progress --color --help'
		values='--escalate --expect-start --state --older-than --role --database --application --client --wait --format --dbname -d --host -h --port -p --username -U --config --profile --log-format --progress --color'
		files='--config'
		;;
	'dbops connections terminate')
		options='--expect-start --idle-in-transaction --state --older-than --role --database --application --client --force --wait --format --dry-run --yes --dbname --host --port --username --no-password --config --profile --quiet --verbose --log-format --progress --color --help'
		values='--expect-start --state --older-than --role --database --application --client --wait --format --dbname -d --host -h --port -p --username -U --config --profile --log-format --progress --color'
		files='--config'
		;;
	'dbops slow-queries')
		options='--limit --order --group --min-mean --min-calls --role --all-databases --nested --live --min-duration --explain --slow --warning --critical --warning-rate --critical-rate --warning-age --critical-age --format --check --watch --output --statement-timeout --lock-timeout --interval --since --save --dbname --host --port --username --no-password --config --profile --quiet --verbose --log-format --progress --color --help'
		values='--limit -n --order --group --min-mean --min-calls --role --min-duration --explain --slow --warning --critical --warning-rate --critical-rate --warning-age --critical-age --format --watch --output -o --statement-timeout --lock-timeout --interval --since --save --dbname -d --host -h --port -p --username -U --config --profile --log-format --progress --color'
		files='--output -o --since --save --config'
		;;
	'dbops locks')
		commands='forecast cancel terminate'
		options='--warning --critical --blocked-warning --blocked-critical --min-wait --release-plan --record --replay --at --step --format --check --watch --output --statement-timeout --lock-timeout --interval --since --save --dbname --host --port --username --no-password --config --profile --quiet --verbose --log-format --progress --color --help'
		values='--warning --critical --blocked-warning --blocked-critical --min-wait --record --replay --at --step --format --watch --output -o --statement-timeout --lock-timeout --interval --since --save --dbname -d --host -h --port -p --username -U --config --profile --log-format --progress --color'
		files='--record --replay --output -o --since --save --config'
		;;
	'dbops locks forecast')
		options='--file --warning --critical --large --format --check --watch --output --statement-timeout --lock-timeout --interval --since --save --dbname --host --port --username --no-password --config --profile --quiet --verbose --log-format --progress --color --help'
		values='--file --warning --critical --large --format --watch --output -o --statement-timeout --lock-timeout --interval --since --save --dbname -d --host -h --port -p --username -U --config --profile --log-format --progress --color'
		files='--file --output -o --since --save --config'
		;;
	'dbops locks cancel')
		options='--escalate --expect-start --idle-in-transaction --state --older-than --role --database --application --client --force --wait --format --dry-run --yes --dbname --host --port --username --no-password --config --profile --quiet --verbose --log-format --progress --color --help'
		values='--escalate --expect-start --state --older-than --role --database --application --client --wait --format --dbname -d --host -h --port -p --username -U --config --profile --log-format --progress --color'
		files='--config'
		;;
	'dbops locks terminate')
		options='--expect-start --idle-in-transaction --state --older-than --role --database --application --client --force --wait --format --dry-run --yes --dbname --host --port --username --no-password --config --profile --quiet --verbose --log-format --progress --color --help'
		values='--expect-start --state --older-than --role --database --application --client --wait --format --dbname -d --host -h --port -p --username -U --config --profile --log-format --progress --color'
		files='--config'
		;;
	'dbops partitions')
		commands='list convert check create attach detach archive restore drop purge maintain ledger'
		options='--config --profile --quiet --verbose --log-format --progress --color --help'
		values='--config --profile --log-format --progress --color'
		files='--config'
		;;
	'dbops partitions list')
		options='--format --dbname --host --port --username --no-password --config --profile --quiet --verbose --log-format --progress --color --help'
		values='--format --dbname -d --host -h --port -p --username -U --config --profile --log-format --progress --color'
		files='--config'
		;;
	'dbops partitions convert')
		options='--key --interval --timezone --epoch --until --partition --extend-keys --sql --apply --lock-timeout --max-wait --format --dry-run --yes --dbname --host --port --username --no-password --config --profile --quiet --verbose --log-format --progress --color --help'
		values='--key --interval --timezone --epoch --until --partition --apply --lock-timeout --max-wait --format --dbname -d --host -h --port -p --username -U --config --profile --log-format --progress --color'
		files='--config'
		;;
	'dbops partitions check')
		options='--warning --critical --epoch --format --check --watch --output --statement-timeout --lock-timeout --dbname --host --port --username --no-password --config --profile --quiet --verbose --log-format --progress --color --help'
		values='--warning --critical --epoch --format --watch --output -o --statement-timeout --lock-timeout --dbname -d --host -h --port -p --username -U --config --profile --log-format --progress --color'
		files='--output -o --config'
		;;
	'dbops partitions create')
		options='--interval --ahead --timezone --epoch --start --values --modulus --name --in-schema --no-template --move-default --max-scan --sql --apply --lock-timeout --max-wait --format --dry-run --yes --dbname --host --port --username --no-password --config --profile --quiet --verbose --log-format --progress --color --help'
		values='--interval --ahead --timezone --epoch --start --values --modulus --name --in-schema --max-scan --apply --lock-timeout --max-wait --format --dbname -d --host -h --port -p --username -U --config --profile --log-format --progress --color'
		files='--config'
		;;
	'dbops partitions attach')
		options='--parent --bounds --allow-scan --max-scan --sql --apply --lock-timeout --max-wait --format --dry-run --yes --dbname --host --port --username --no-password --config --profile --quiet --verbose --log-format --progress --color --help'
		values='--parent --bounds --max-scan --apply --lock-timeout --max-wait --format --dbname -d --host -h --port -p --username -U --config --profile --log-format --progress --color'
		files='--config'
		;;
	'dbops partitions detach')
		options='--older-than --before --timezone --epoch --sql --apply --lock-timeout --max-wait --blocker-age --allow-plain --format --dry-run --yes --dbname --host --port --username --no-password --config --profile --quiet --verbose --log-format --progress --color --help'
		values='--older-than --before --timezone --epoch --apply --lock-timeout --max-wait --blocker-age --format --dbname -d --host -h --port -p --username -U --config --profile --log-format --progress --color'
		files='--config'
		;;
	'dbops partitions archive')
		options='--to --as --drop --allow-plain --ledger --jobs --compress --pg-bindir --sql --apply --lock-timeout --max-wait --format --dry-run --yes --ca-file --dbname --host --port --username --no-password --config --profile --quiet --verbose --log-format --progress --color --help'
		values='--to --as --ledger --jobs -j --compress -Z --pg-bindir --apply --lock-timeout --max-wait --format --ca-file --dbname -d --host -h --port -p --username -U --config --profile --log-format --progress --color'
		files='--ledger --ca-file --config'
		folders='--to --pg-bindir'
		;;
	'dbops partitions restore')
		options='--from --database --attach --jobs --no-owner --no-privileges --pg-bindir --lock-timeout --max-wait --format --dry-run --yes --ca-file --dbname --host --port --username --no-password --config --profile --quiet --verbose --log-format --progress --color --help'
		values='--from --database --jobs -j --pg-bindir --lock-timeout --max-wait --format --ca-file --dbname -d --host -h --port -p --username -U --config --profile --log-format --progress --color'
		files='--ca-file --config'
		folders='--from --pg-bindir'
		;;
	'dbops partitions drop')
		options='--archived-in --without-archive --allow-plain --ledger --jobs --sql --apply --lock-timeout --max-wait --format --dry-run --yes --ca-file --dbname --host --port --username --no-password --config --profile --quiet --verbose --log-format --progress --color --help'
		values='--archived-in --ledger --jobs -j --apply --lock-timeout --max-wait --format --ca-file --dbname -d --host -h --port -p --username -U --config --profile --log-format --progress --color'
		files='--ledger --ca-file --config'
		folders='--archived-in'
		;;
	'dbops partitions purge')
		options='--column --older-than --before --allow-cascade --apply --batch --max-lag --pause --lock-timeout --max-wait --ledger --format --dry-run --yes --dbname --host --port --username --no-password --config --profile --quiet --verbose --log-format --progress --color --help'
		values='--column --older-than --before --apply --batch --max-lag --pause --lock-timeout --max-wait --ledger --format --dbname -d --host -h --port -p --username -U --config --profile --log-format --progress --color'
		files='--ledger --config'
		;;
	'dbops partitions maintain')
		options='--policies --to --no-check --allow-plain --ledger --jobs --max-lag --pg-bindir --sql --apply --lock-timeout --max-wait --format --dry-run --yes --ca-file --dbname --host --port --username --no-password --config --profile --quiet --verbose --log-format --progress --color --help'
		values='--policies --to --ledger --jobs -j --max-lag --pg-bindir --apply --lock-timeout --max-wait --format --ca-file --dbname -d --host -h --port -p --username -U --config --profile --log-format --progress --color'
		files='--ledger --ca-file --config'
		folders='--to --pg-bindir'
		;;
	'dbops partitions ledger')
		options='--ledger --of --all --format --config --profile --quiet --verbose --log-format --progress --color --help'
		values='--ledger --of --format --config --profile --log-format --progress --color'
		files='--ledger --config'
		;;
	'dbops config')
		commands='show check'
		options='--config --profile --quiet --verbose --log-format --progress --color --help'
		values='--config --profile --log-format --progress --color'
		files='--config'
		;;
	'dbops config show')
		options='--format --config --profile --quiet --verbose --log-format --progress --color --help'
		values='--format --config --profile --log-format --progress --color'
		files='--config'
		;;
	'dbops config check')
		options='--format --config --profile --quiet --verbose --log-format --progress --color --help'
		values='--format --config --profile --log-format --progress --color'
		files='--config'
		;;
	'dbops completion')
		options='--config --profile --quiet --verbose --log-format --progress --color --help'
		values='--config --profile --log-format --progress --color'
		files='--config'
		;;
	'dbops help')
		options='--format --config --profile --quiet --verbose --log-format --progress --color --help'
		values='--format --config --profile --log-format --progress --color'
		files='--config'
		;;
	'dbops version')
		options='--format --config --profile --quiet --verbose --log-format --progress --color --help'
		values='--format --config --profile --log-format --progress --color'
		files='--config'
		;;
	esac
}

_dbops_has()
{
	[[ " $1 " == *" $2 "* ]]
}

# COMP_WORDS with what readline split at '=' and ':' put together again.
_dbops_join()
{
	local i glue=1
	joined=()
	for ((i = 0; i <= COMP_CWORD; i++)); do
		if [[ ${COMP_WORDS[i]} == [=:]* && i -gt 1 ]]; then
			joined[${#joined[@]}-1]+=${COMP_WORDS[i]}
			glue=1
		elif ((glue && i > 1)); then
			joined[${#joined[@]}-1]+=${COMP_WORDS[i]}
			glue=0
		else
			joined+=("${COMP_WORDS[i]}")
			glue=0
		fi
	done
}

# Sets path, the facts of it, and expect: the option whose value is typed.
_dbops_walk()
{
	local word
	path=dbops expect=''
	_dbops_facts "$path"
	for word in "${joined[@]:1:${#joined[@]}-2}"; do
		if [[ -n $expect ]]; then
			expect=''
		elif [[ $word == -* ]]; then
			if _dbops_has "$values" "$word"; then expect=$word; fi
		elif _dbops_has "$commands" "$word"; then
			path+=" $word"
			_dbops_facts "$path"
		fi
	done
}

_dbops_reply()
{
	local line
	COMPREPLY=()
	while IFS='' read -r line; do
		COMPREPLY+=("${line#"$cut"}")
	done
}

_dbops()
{
	local commands options values files folders joined path expect cur cut=''
	_dbops_join
	cur=${joined[${#joined[@]}-1]}
	# readline replaces only what stands behind its last break
	if [[ $cur == *[=:]* ]]; then
		cut=${cur%"${cur##*[=:]}"}
	fi
	_dbops_walk
	if [[ -z $expect && $cur == --*=* ]]; then
		expect=${cur%%=*}
		if _dbops_has "$files $folders" "$expect"; then cur=${cur#*=}; cut=''; fi
	fi
	if [[ -n $expect ]] && _dbops_has "$files" "$expect"; then
		compopt -o filenames 2>/dev/null
		_dbops_reply < <(compgen -f -- "$cur")
	elif [[ -n $expect ]] && _dbops_has "$folders" "$expect"; then
		compopt -o filenames 2>/dev/null
		_dbops_reply < <(compgen -d -- "$cur")
	elif [[ -z $expect && $cur == -* ]]; then
		_dbops_reply < <(compgen -W "$options" -- "$cur")
	elif [[ -z $expect && -n $commands ]]; then
		_dbops_reply < <(compgen -W "$commands" -- "$cur")
	else
		_dbops_reply < <("$1" complete -- "${joined[@]:1}" 2>/dev/null)
	fi
}

complete -F _dbops dbops
