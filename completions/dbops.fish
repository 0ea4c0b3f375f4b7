# fish completion for dbops
# Made by 'dbops completion fish' from the command tables.

function __dbops_path
    set -l path dbops
    set -l skip 0
    set -l tokens (commandline -opc)
    for word in $tokens[2..-1]
        if test $skip = 1
            set skip 0
        else if contains -- $word --config --profile --log-format --progress --color
            set skip 1
        else
            set -l children
            switch "$path"
                case 'dbops'
                    set children backup list show verify restore prune partitions config completion help version
                case 'dbops partitions'
                    set children list
                case 'dbops config'
                    set children show check
            end
            if contains -- $word $children
                set path "$path $word"
            end
        end
    end
    echo $path
end

function __dbops_at
    test (__dbops_path) = "$argv"
end

# Values that live in the configuration or in a repository.
function __dbops_values
    set -l tokens (commandline -opc) (commandline -ct)
    $tokens[1] complete -- $tokens[2..-1] 2>/dev/null | string replace -r '^--[^=]*=' ''
end

complete -c dbops -f

# dbops
complete -c dbops -n '__dbops_at dbops' -a backup -d 'back up a database to a folder, to S3, or to both at once'
complete -c dbops -n '__dbops_at dbops' -a list -d 'list the backups of a folder or a remote'
complete -c dbops -n '__dbops_at dbops' -a show -d 'show what a backup holds, table by table'
complete -c dbops -n '__dbops_at dbops' -a verify -d 'prove that a backup is whole and restores'
complete -c dbops -n '__dbops_at dbops' -a restore -d 'restore a backup into a database'
complete -c dbops -n '__dbops_at dbops' -a prune -d 'remove old backups by policy, and leftovers of dead runs'
complete -c dbops -n '__dbops_at dbops' -a partitions -d 'show and change the partitions of tables'
complete -c dbops -n '__dbops_at dbops' -a config -d 'show and check the configuration'
complete -c dbops -n '__dbops_at dbops' -a completion -d 'print a shell\'s completion script'
complete -c dbops -n '__dbops_at dbops' -a help -d 'explain a command'
complete -c dbops -n '__dbops_at dbops' -a version -d 'print the version'
complete -c dbops -n '__dbops_at dbops' -l config -r -F -d 'configuration file instead of the first of ./dbops.yaml, ~/.config/dbops/dbops.yaml, /etc/dbops/dbops.yaml'
complete -c dbops -n '__dbops_at dbops' -l profile -x -a '(__dbops_values)' -d 'use this profile of the configuration (default: its default_profile)'
complete -c dbops -n '__dbops_at dbops' -s 'q' -l quiet -d 'only warnings and errors on stderr, no progress'
complete -c dbops -n '__dbops_at dbops' -s 'v' -l verbose -d 'say more about what is done'
complete -c dbops -n '__dbops_at dbops' -l log-format -x -a 'text json' -d 'messages on stderr: text, or one JSON object a line'
complete -c dbops -n '__dbops_at dbops' -l progress -x -a 'auto bar plain json none' -d 'progress on stderr; auto: a bar on a terminal, else a line every 30 s'
complete -c dbops -n '__dbops_at dbops' -l color -x -a 'auto always never' -d 'colors; auto: on a terminal, unless NO_COLOR is set'
complete -c dbops -n '__dbops_at dbops' -s '?' -l help -d 'print help and exit'
complete -c dbops -n '__dbops_at dbops' -s 'V' -l version -d 'print the version and exit'

# dbops backup
complete -c dbops -n '__dbops_at dbops backup' -l dir -x -a '(__fish_complete_directories)' -d 'folder that gets the backup'
complete -c dbops -n '__dbops_at dbops backup' -l upload -x -a '(__dbops_values)' -d 'send it to this remote of the configuration, or to s3://BUCKET/PREFIX, while it is made'
complete -c dbops -n '__dbops_at dbops backup' -l no-local -d 'keep no copy in the folder: rows go to --upload without touching the disk'
complete -c dbops -n '__dbops_at dbops backup' -l label -x -d 'name of the job; backups of one database with different labels are separate series'
complete -c dbops -n '__dbops_at dbops backup' -s 't' -l table -x -d 'only tables that match (pg_dump\'s patterns); may be repeated'
complete -c dbops -n '__dbops_at dbops backup' -s 'T' -l exclude-table -x -d 'not the tables that match'
complete -c dbops -n '__dbops_at dbops backup' -s 'n' -l schema -x -d 'only schemas that match'
complete -c dbops -n '__dbops_at dbops backup' -s 'N' -l exclude-schema -x -d 'not the schemas that match'
complete -c dbops -n '__dbops_at dbops backup' -l exclude-table-data -x -d 'definitions, but no rows, of the tables that match'
complete -c dbops -n '__dbops_at dbops backup' -s 's' -l schema-only -d 'definitions, no rows'
complete -c dbops -n '__dbops_at dbops backup' -s 'a' -l data-only -d 'rows, no definitions'
complete -c dbops -n '__dbops_at dbops backup' -l no-globals -d 'without globals.sql (roles and tablespaces of the whole server)'
complete -c dbops -n '__dbops_at dbops backup' -s 'j' -l jobs -x -d 'connections that read, compress and hash at once'
complete -c dbops -n '__dbops_at dbops backup' -s 'Z' -l compress -x -d 'gzip level; 1-3 are several times faster, 4-9 smaller'
complete -c dbops -n '__dbops_at dbops backup' -l lock-timeout -x -d 'give up (status 75) when the tables cannot be locked in this time'
complete -c dbops -n '__dbops_at dbops backup' -l split-above -x -d 'read tables larger than this in ranges of pages (default: larger than 64MiB and than an even share of the work)'
complete -c dbops -n '__dbops_at dbops backup' -l no-split -d 'never read a table in ranges: slower, but it spares the server\'s shared buffers'
complete -c dbops -n '__dbops_at dbops backup' -l part-size -x -d 'size of the parts of an upload (default: the remote\'s, 16MiB; larger for large databases)'
complete -c dbops -n '__dbops_at dbops backup' -l pg-bindir -x -a '(__fish_complete_directories)' -d 'folder of pg_dump and pg_dumpall (default: found by the server\'s major version)'
complete -c dbops -n '__dbops_at dbops backup' -l keep-last -x -d 'the newest N complete backups'
complete -c dbops -n '__dbops_at dbops backup' -l keep-daily -x -d 'the newest of each of the last N days (UTC) that have one'
complete -c dbops -n '__dbops_at dbops backup' -l keep-weekly -x -d 'the newest of each of the last N weeks (Monday to Sunday) that have one'
complete -c dbops -n '__dbops_at dbops backup' -l keep-monthly -x -d 'the newest of each of the last N months that have one'
complete -c dbops -n '__dbops_at dbops backup' -l keep-yearly -x -d 'the newest of each of the last N years that have one'
complete -c dbops -n '__dbops_at dbops backup' -l keep-days -x -d 'all of the N days before the newest complete backup'
complete -c dbops -n '__dbops_at dbops backup' -l keep-within -x -d 'all made within this time before the newest complete backup'
complete -c dbops -n '__dbops_at dbops backup' -l lease -x -d 'what an unfinished run left is removed when nothing in it is younger than this'
complete -c dbops -n '__dbops_at dbops backup' -l format -x -a 'text json' -d 'how the result is printed'
complete -c dbops -n '__dbops_at dbops backup' -l ca-file -r -F -d 'certificates of the authorities to trust for S3, PEM'
complete -c dbops -n '__dbops_at dbops backup' -s 'd' -l dbname -x -d 'database: a name, a connection string (host=… dbname=…) or a URL (postgres://…)'
complete -c dbops -n '__dbops_at dbops backup' -s 'h' -l host -x -d 'server\'s host name or socket directory'
complete -c dbops -n '__dbops_at dbops backup' -s 'p' -l port -x -d 'server\'s port'
complete -c dbops -n '__dbops_at dbops backup' -s 'U' -l username -x -d 'user to connect as'
complete -c dbops -n '__dbops_at dbops backup' -s 'w' -l no-password -d 'never ask for a password, as psql\'s; dbops never does: the password comes from ~/.pgpass, PGPASSWORD or a service file'
complete -c dbops -n '__dbops_at dbops backup' -l config -r -F -d 'configuration file instead of the first of ./dbops.yaml, ~/.config/dbops/dbops.yaml, /etc/dbops/dbops.yaml'
complete -c dbops -n '__dbops_at dbops backup' -l profile -x -a '(__dbops_values)' -d 'use this profile of the configuration (default: its default_profile)'
complete -c dbops -n '__dbops_at dbops backup' -s 'q' -l quiet -d 'only warnings and errors on stderr, no progress'
complete -c dbops -n '__dbops_at dbops backup' -s 'v' -l verbose -d 'say more about what is done'
complete -c dbops -n '__dbops_at dbops backup' -l log-format -x -a 'text json' -d 'messages on stderr: text, or one JSON object a line'
complete -c dbops -n '__dbops_at dbops backup' -l progress -x -a 'auto bar plain json none' -d 'progress on stderr; auto: a bar on a terminal, else a line every 30 s'
complete -c dbops -n '__dbops_at dbops backup' -l color -x -a 'auto always never' -d 'colors; auto: on a terminal, unless NO_COLOR is set'
complete -c dbops -n '__dbops_at dbops backup' -s '?' -l help -d 'print help and exit'

# dbops list
complete -c dbops -n '__dbops_at dbops list' -l database -x -d 'only backups of this database'
complete -c dbops -n '__dbops_at dbops list' -l label -x -d 'only backups with this label'
complete -c dbops -n '__dbops_at dbops list' -l complete -d 'only complete backups'
complete -c dbops -n '__dbops_at dbops list' -l max-age -x -d 'end with status 2 when the newest complete backup shown is older, or there is none'
complete -c dbops -n '__dbops_at dbops list' -l format -x -a 'table expanded json ndjson csv' -d 'how rows are printed'
complete -c dbops -n '__dbops_at dbops list' -l dir -x -a '(__fish_complete_directories)' -d 'folder that holds the backups'
complete -c dbops -n '__dbops_at dbops list' -l from -x -a '(__dbops_values)' -d 'remote of the configuration, or s3://BUCKET/PREFIX, instead of the folder'
complete -c dbops -n '__dbops_at dbops list' -l ca-file -r -F -d 'certificates of the authorities to trust for S3, PEM'
complete -c dbops -n '__dbops_at dbops list' -l config -r -F -d 'configuration file instead of the first of ./dbops.yaml, ~/.config/dbops/dbops.yaml, /etc/dbops/dbops.yaml'
complete -c dbops -n '__dbops_at dbops list' -l profile -x -a '(__dbops_values)' -d 'use this profile of the configuration (default: its default_profile)'
complete -c dbops -n '__dbops_at dbops list' -s 'q' -l quiet -d 'only warnings and errors on stderr, no progress'
complete -c dbops -n '__dbops_at dbops list' -s 'v' -l verbose -d 'say more about what is done'
complete -c dbops -n '__dbops_at dbops list' -l log-format -x -a 'text json' -d 'messages on stderr: text, or one JSON object a line'
complete -c dbops -n '__dbops_at dbops list' -l progress -x -a 'auto bar plain json none' -d 'progress on stderr; auto: a bar on a terminal, else a line every 30 s'
complete -c dbops -n '__dbops_at dbops list' -l color -x -a 'auto always never' -d 'colors; auto: on a terminal, unless NO_COLOR is set'
complete -c dbops -n '__dbops_at dbops list' -s '?' -l help -d 'print help and exit'

# dbops show
complete -c dbops -n '__dbops_at dbops show' -a '(__dbops_values)'
complete -c dbops -n '__dbops_at dbops show' -l database -x -d '"latest" means this database\'s; needed when the repository has several'
complete -c dbops -n '__dbops_at dbops show' -l format -x -a 'table expanded json ndjson csv' -d 'how rows are printed'
complete -c dbops -n '__dbops_at dbops show' -l dir -x -a '(__fish_complete_directories)' -d 'folder that holds the backups'
complete -c dbops -n '__dbops_at dbops show' -l from -x -a '(__dbops_values)' -d 'remote of the configuration, or s3://BUCKET/PREFIX, instead of the folder'
complete -c dbops -n '__dbops_at dbops show' -l ca-file -r -F -d 'certificates of the authorities to trust for S3, PEM'
complete -c dbops -n '__dbops_at dbops show' -l config -r -F -d 'configuration file instead of the first of ./dbops.yaml, ~/.config/dbops/dbops.yaml, /etc/dbops/dbops.yaml'
complete -c dbops -n '__dbops_at dbops show' -l profile -x -a '(__dbops_values)' -d 'use this profile of the configuration (default: its default_profile)'
complete -c dbops -n '__dbops_at dbops show' -s 'q' -l quiet -d 'only warnings and errors on stderr, no progress'
complete -c dbops -n '__dbops_at dbops show' -s 'v' -l verbose -d 'say more about what is done'
complete -c dbops -n '__dbops_at dbops show' -l log-format -x -a 'text json' -d 'messages on stderr: text, or one JSON object a line'
complete -c dbops -n '__dbops_at dbops show' -l progress -x -a 'auto bar plain json none' -d 'progress on stderr; auto: a bar on a terminal, else a line every 30 s'
complete -c dbops -n '__dbops_at dbops show' -l color -x -a 'auto always never' -d 'colors; auto: on a terminal, unless NO_COLOR is set'
complete -c dbops -n '__dbops_at dbops show' -s '?' -l help -d 'print help and exit'

# dbops verify
complete -c dbops -n '__dbops_at dbops verify' -a '(__dbops_values)'
complete -c dbops -n '__dbops_at dbops verify' -l quick -d 'only the manifest and the presence and size of every object'
complete -c dbops -n '__dbops_at dbops verify' -l restore -d 'also restore into a scratch PostgreSQL that dbops starts, and compare every table'
complete -c dbops -n '__dbops_at dbops verify' -l database -x -d '"latest" means this database\'s; needed when the repository has several'
complete -c dbops -n '__dbops_at dbops verify' -s 'j' -l jobs -x -d 'threads, and connections of the test restore'
complete -c dbops -n '__dbops_at dbops verify' -l scratch-dir -x -a '(__fish_complete_directories)' -d 'where the scratch server\'s data goes (default: $TMPDIR, else /var/tmp)'
complete -c dbops -n '__dbops_at dbops verify' -l run-as -x -d 'as root: the user the scratch server runs as (default: postgres)'
complete -c dbops -n '__dbops_at dbops verify' -l pg-bindir -x -a '(__fish_complete_directories)' -d 'folder of postgres, initdb and pg_restore (default: found by the backup\'s major version)'
complete -c dbops -n '__dbops_at dbops verify' -l keep -d 'leave the scratch server\'s folder for a look'
complete -c dbops -n '__dbops_at dbops verify' -l no-record -d 'do not store the result beside the backup'
complete -c dbops -n '__dbops_at dbops verify' -l format -x -a 'table expanded json ndjson csv' -d 'how rows are printed'
complete -c dbops -n '__dbops_at dbops verify' -l dir -x -a '(__fish_complete_directories)' -d 'folder that holds the backups'
complete -c dbops -n '__dbops_at dbops verify' -l from -x -a '(__dbops_values)' -d 'remote of the configuration, or s3://BUCKET/PREFIX, instead of the folder'
complete -c dbops -n '__dbops_at dbops verify' -l ca-file -r -F -d 'certificates of the authorities to trust for S3, PEM'
complete -c dbops -n '__dbops_at dbops verify' -l config -r -F -d 'configuration file instead of the first of ./dbops.yaml, ~/.config/dbops/dbops.yaml, /etc/dbops/dbops.yaml'
complete -c dbops -n '__dbops_at dbops verify' -l profile -x -a '(__dbops_values)' -d 'use this profile of the configuration (default: its default_profile)'
complete -c dbops -n '__dbops_at dbops verify' -s 'q' -l quiet -d 'only warnings and errors on stderr, no progress'
complete -c dbops -n '__dbops_at dbops verify' -s 'v' -l verbose -d 'say more about what is done'
complete -c dbops -n '__dbops_at dbops verify' -l log-format -x -a 'text json' -d 'messages on stderr: text, or one JSON object a line'
complete -c dbops -n '__dbops_at dbops verify' -l progress -x -a 'auto bar plain json none' -d 'progress on stderr; auto: a bar on a terminal, else a line every 30 s'
complete -c dbops -n '__dbops_at dbops verify' -l color -x -a 'auto always never' -d 'colors; auto: on a terminal, unless NO_COLOR is set'
complete -c dbops -n '__dbops_at dbops verify' -s '?' -l help -d 'print help and exit'

# dbops restore
complete -c dbops -n '__dbops_at dbops restore' -a '(__dbops_values)'
complete -c dbops -n '__dbops_at dbops restore' -l to-db -x -d 'database to restore into; it is created when it does not exist (default: the one of -d)'
complete -c dbops -n '__dbops_at dbops restore' -l create -d 'create the database of --to-db; it must not exist yet'
complete -c dbops -n '__dbops_at dbops restore' -l into-nonempty -d 'restore although the database has tables already, dropping nothing'
complete -c dbops -n '__dbops_at dbops restore' -s 'c' -l clean -d 'drop the backup\'s objects first'
complete -c dbops -n '__dbops_at dbops restore' -l if-exists -d 'with --clean: pass over what is not there'
complete -c dbops -n '__dbops_at dbops restore' -l database -x -d '"latest" means this database\'s; needed when the repository has several'
complete -c dbops -n '__dbops_at dbops restore' -s 't' -l table -x -d 'only this table (NAME or SCHEMA.NAME, wildcards * and ?) with all that belongs to it'
complete -c dbops -n '__dbops_at dbops restore' -l schema -x -d 'only what is in this schema'
complete -c dbops -n '__dbops_at dbops restore' -s 's' -l schema-only -d 'definitions, no rows'
complete -c dbops -n '__dbops_at dbops restore' -s 'a' -l data-only -d 'rows, no definitions'
complete -c dbops -n '__dbops_at dbops restore' -s 'l' -l list -d 'list the archive\'s entries, restore nothing'
complete -c dbops -n '__dbops_at dbops restore' -s 'j' -l jobs -x -d 'connections that load rows and build indexes at once'
complete -c dbops -n '__dbops_at dbops restore' -s 'O' -l no-owner -d 'everything belongs to the connecting role'
complete -c dbops -n '__dbops_at dbops restore' -s 'x' -l no-privileges -d 'no GRANT and REVOKE'
complete -c dbops -n '__dbops_at dbops restore' -l no-tablespaces -d 'everything in the default tablespace'
complete -c dbops -n '__dbops_at dbops restore' -l disable-triggers -d 'with --data-only: fire no triggers and check no foreign keys while loading (superuser)'
complete -c dbops -n '__dbops_at dbops restore' -l no-check -d 'do not read the rows back to compare them with the backup'
complete -c dbops -n '__dbops_at dbops restore' -l no-verify -d 'with --clean: do not prove every stored byte before anything is dropped'
complete -c dbops -n '__dbops_at dbops restore' -l keep-going -d 'do not stop at the first definition that fails'
complete -c dbops -n '__dbops_at dbops restore' -l pg-bindir -x -a '(__fish_complete_directories)' -d 'folder of pg_restore (default: found by the backup\'s version)'
complete -c dbops -n '__dbops_at dbops restore' -l format -x -a 'table expanded json ndjson csv' -d 'how rows are printed'
complete -c dbops -n '__dbops_at dbops restore' -s 'n' -l dry-run -d 'print the plan, change nothing'
complete -c dbops -n '__dbops_at dbops restore' -s 'y' -l yes -d 'do it without asking; needed where no terminal can answer'
complete -c dbops -n '__dbops_at dbops restore' -l dir -x -a '(__fish_complete_directories)' -d 'folder that holds the backups'
complete -c dbops -n '__dbops_at dbops restore' -l from -x -a '(__dbops_values)' -d 'remote of the configuration, or s3://BUCKET/PREFIX, instead of the folder'
complete -c dbops -n '__dbops_at dbops restore' -l ca-file -r -F -d 'certificates of the authorities to trust for S3, PEM'
complete -c dbops -n '__dbops_at dbops restore' -s 'd' -l dbname -x -d 'database: a name, a connection string (host=… dbname=…) or a URL (postgres://…)'
complete -c dbops -n '__dbops_at dbops restore' -s 'h' -l host -x -d 'server\'s host name or socket directory'
complete -c dbops -n '__dbops_at dbops restore' -s 'p' -l port -x -d 'server\'s port'
complete -c dbops -n '__dbops_at dbops restore' -s 'U' -l username -x -d 'user to connect as'
complete -c dbops -n '__dbops_at dbops restore' -s 'w' -l no-password -d 'never ask for a password, as psql\'s; dbops never does: the password comes from ~/.pgpass, PGPASSWORD or a service file'
complete -c dbops -n '__dbops_at dbops restore' -l config -r -F -d 'configuration file instead of the first of ./dbops.yaml, ~/.config/dbops/dbops.yaml, /etc/dbops/dbops.yaml'
complete -c dbops -n '__dbops_at dbops restore' -l profile -x -a '(__dbops_values)' -d 'use this profile of the configuration (default: its default_profile)'
complete -c dbops -n '__dbops_at dbops restore' -s 'q' -l quiet -d 'only warnings and errors on stderr, no progress'
complete -c dbops -n '__dbops_at dbops restore' -s 'v' -l verbose -d 'say more about what is done'
complete -c dbops -n '__dbops_at dbops restore' -l log-format -x -a 'text json' -d 'messages on stderr: text, or one JSON object a line'
complete -c dbops -n '__dbops_at dbops restore' -l progress -x -a 'auto bar plain json none' -d 'progress on stderr; auto: a bar on a terminal, else a line every 30 s'
complete -c dbops -n '__dbops_at dbops restore' -l color -x -a 'auto always never' -d 'colors; auto: on a terminal, unless NO_COLOR is set'
complete -c dbops -n '__dbops_at dbops restore' -s '?' -l help -d 'print help and exit'

# dbops prune
complete -c dbops -n '__dbops_at dbops prune' -l keep-last -x -d 'the newest N complete backups'
complete -c dbops -n '__dbops_at dbops prune' -l keep-daily -x -d 'the newest of each of the last N days (UTC) that have one'
complete -c dbops -n '__dbops_at dbops prune' -l keep-weekly -x -d 'the newest of each of the last N weeks (Monday to Sunday) that have one'
complete -c dbops -n '__dbops_at dbops prune' -l keep-monthly -x -d 'the newest of each of the last N months that have one'
complete -c dbops -n '__dbops_at dbops prune' -l keep-yearly -x -d 'the newest of each of the last N years that have one'
complete -c dbops -n '__dbops_at dbops prune' -l keep-days -x -d 'all of the N days before the newest complete backup'
complete -c dbops -n '__dbops_at dbops prune' -l keep-within -x -d 'all made within this time before the newest complete backup'
complete -c dbops -n '__dbops_at dbops prune' -l lease -x -d 'what an unfinished run left is removed when nothing in it is younger than this'
complete -c dbops -n '__dbops_at dbops prune' -l database -x -d 'only series of this database'
complete -c dbops -n '__dbops_at dbops prune' -l label -x -d 'only series with this label'
complete -c dbops -n '__dbops_at dbops prune' -l format -x -a 'table expanded json ndjson csv' -d 'how rows are printed'
complete -c dbops -n '__dbops_at dbops prune' -s 'n' -l dry-run -d 'print the plan, change nothing'
complete -c dbops -n '__dbops_at dbops prune' -s 'y' -l yes -d 'do it without asking; needed where no terminal can answer'
complete -c dbops -n '__dbops_at dbops prune' -l dir -x -a '(__fish_complete_directories)' -d 'folder that holds the backups'
complete -c dbops -n '__dbops_at dbops prune' -l from -x -a '(__dbops_values)' -d 'remote of the configuration, or s3://BUCKET/PREFIX, instead of the folder'
complete -c dbops -n '__dbops_at dbops prune' -l ca-file -r -F -d 'certificates of the authorities to trust for S3, PEM'
complete -c dbops -n '__dbops_at dbops prune' -l config -r -F -d 'configuration file instead of the first of ./dbops.yaml, ~/.config/dbops/dbops.yaml, /etc/dbops/dbops.yaml'
complete -c dbops -n '__dbops_at dbops prune' -l profile -x -a '(__dbops_values)' -d 'use this profile of the configuration (default: its default_profile)'
complete -c dbops -n '__dbops_at dbops prune' -s 'q' -l quiet -d 'only warnings and errors on stderr, no progress'
complete -c dbops -n '__dbops_at dbops prune' -s 'v' -l verbose -d 'say more about what is done'
complete -c dbops -n '__dbops_at dbops prune' -l log-format -x -a 'text json' -d 'messages on stderr: text, or one JSON object a line'
complete -c dbops -n '__dbops_at dbops prune' -l progress -x -a 'auto bar plain json none' -d 'progress on stderr; auto: a bar on a terminal, else a line every 30 s'
complete -c dbops -n '__dbops_at dbops prune' -l color -x -a 'auto always never' -d 'colors; auto: on a terminal, unless NO_COLOR is set'
complete -c dbops -n '__dbops_at dbops prune' -s '?' -l help -d 'print help and exit'

# dbops partitions
complete -c dbops -n '__dbops_at dbops partitions' -a list -d 'list partitioned tables with their partitions'
complete -c dbops -n '__dbops_at dbops partitions' -l config -r -F -d 'configuration file instead of the first of ./dbops.yaml, ~/.config/dbops/dbops.yaml, /etc/dbops/dbops.yaml'
complete -c dbops -n '__dbops_at dbops partitions' -l profile -x -a '(__dbops_values)' -d 'use this profile of the configuration (default: its default_profile)'
complete -c dbops -n '__dbops_at dbops partitions' -s 'q' -l quiet -d 'only warnings and errors on stderr, no progress'
complete -c dbops -n '__dbops_at dbops partitions' -s 'v' -l verbose -d 'say more about what is done'
complete -c dbops -n '__dbops_at dbops partitions' -l log-format -x -a 'text json' -d 'messages on stderr: text, or one JSON object a line'
complete -c dbops -n '__dbops_at dbops partitions' -l progress -x -a 'auto bar plain json none' -d 'progress on stderr; auto: a bar on a terminal, else a line every 30 s'
complete -c dbops -n '__dbops_at dbops partitions' -l color -x -a 'auto always never' -d 'colors; auto: on a terminal, unless NO_COLOR is set'
complete -c dbops -n '__dbops_at dbops partitions' -s '?' -l help -d 'print help and exit'

# dbops partitions list
complete -c dbops -n '__dbops_at dbops partitions list' -a '(__dbops_values)'
complete -c dbops -n '__dbops_at dbops partitions list' -l format -x -a 'table expanded json ndjson csv' -d 'how rows are printed'
complete -c dbops -n '__dbops_at dbops partitions list' -s 'd' -l dbname -x -d 'database: a name, a connection string (host=… dbname=…) or a URL (postgres://…)'
complete -c dbops -n '__dbops_at dbops partitions list' -s 'h' -l host -x -d 'server\'s host name or socket directory'
complete -c dbops -n '__dbops_at dbops partitions list' -s 'p' -l port -x -d 'server\'s port'
complete -c dbops -n '__dbops_at dbops partitions list' -s 'U' -l username -x -d 'user to connect as'
complete -c dbops -n '__dbops_at dbops partitions list' -s 'w' -l no-password -d 'never ask for a password, as psql\'s; dbops never does: the password comes from ~/.pgpass, PGPASSWORD or a service file'
complete -c dbops -n '__dbops_at dbops partitions list' -l config -r -F -d 'configuration file instead of the first of ./dbops.yaml, ~/.config/dbops/dbops.yaml, /etc/dbops/dbops.yaml'
complete -c dbops -n '__dbops_at dbops partitions list' -l profile -x -a '(__dbops_values)' -d 'use this profile of the configuration (default: its default_profile)'
complete -c dbops -n '__dbops_at dbops partitions list' -s 'q' -l quiet -d 'only warnings and errors on stderr, no progress'
complete -c dbops -n '__dbops_at dbops partitions list' -s 'v' -l verbose -d 'say more about what is done'
complete -c dbops -n '__dbops_at dbops partitions list' -l log-format -x -a 'text json' -d 'messages on stderr: text, or one JSON object a line'
complete -c dbops -n '__dbops_at dbops partitions list' -l progress -x -a 'auto bar plain json none' -d 'progress on stderr; auto: a bar on a terminal, else a line every 30 s'
complete -c dbops -n '__dbops_at dbops partitions list' -l color -x -a 'auto always never' -d 'colors; auto: on a terminal, unless NO_COLOR is set'
complete -c dbops -n '__dbops_at dbops partitions list' -s '?' -l help -d 'print help and exit'

# dbops config
complete -c dbops -n '__dbops_at dbops config' -a show -d 'print each setting and where it comes from'
complete -c dbops -n '__dbops_at dbops config' -a check -d 'look for mistakes in the configuration'
complete -c dbops -n '__dbops_at dbops config' -l config -r -F -d 'configuration file instead of the first of ./dbops.yaml, ~/.config/dbops/dbops.yaml, /etc/dbops/dbops.yaml'
complete -c dbops -n '__dbops_at dbops config' -l profile -x -a '(__dbops_values)' -d 'use this profile of the configuration (default: its default_profile)'
complete -c dbops -n '__dbops_at dbops config' -s 'q' -l quiet -d 'only warnings and errors on stderr, no progress'
complete -c dbops -n '__dbops_at dbops config' -s 'v' -l verbose -d 'say more about what is done'
complete -c dbops -n '__dbops_at dbops config' -l log-format -x -a 'text json' -d 'messages on stderr: text, or one JSON object a line'
complete -c dbops -n '__dbops_at dbops config' -l progress -x -a 'auto bar plain json none' -d 'progress on stderr; auto: a bar on a terminal, else a line every 30 s'
complete -c dbops -n '__dbops_at dbops config' -l color -x -a 'auto always never' -d 'colors; auto: on a terminal, unless NO_COLOR is set'
complete -c dbops -n '__dbops_at dbops config' -s '?' -l help -d 'print help and exit'

# dbops config show
complete -c dbops -n '__dbops_at dbops config show' -a '(__dbops_values)'
complete -c dbops -n '__dbops_at dbops config show' -l format -x -a 'table expanded json ndjson csv' -d 'how rows are printed'
complete -c dbops -n '__dbops_at dbops config show' -l config -r -F -d 'configuration file instead of the first of ./dbops.yaml, ~/.config/dbops/dbops.yaml, /etc/dbops/dbops.yaml'
complete -c dbops -n '__dbops_at dbops config show' -l profile -x -a '(__dbops_values)' -d 'use this profile of the configuration (default: its default_profile)'
complete -c dbops -n '__dbops_at dbops config show' -s 'q' -l quiet -d 'only warnings and errors on stderr, no progress'
complete -c dbops -n '__dbops_at dbops config show' -s 'v' -l verbose -d 'say more about what is done'
complete -c dbops -n '__dbops_at dbops config show' -l log-format -x -a 'text json' -d 'messages on stderr: text, or one JSON object a line'
complete -c dbops -n '__dbops_at dbops config show' -l progress -x -a 'auto bar plain json none' -d 'progress on stderr; auto: a bar on a terminal, else a line every 30 s'
complete -c dbops -n '__dbops_at dbops config show' -l color -x -a 'auto always never' -d 'colors; auto: on a terminal, unless NO_COLOR is set'
complete -c dbops -n '__dbops_at dbops config show' -s '?' -l help -d 'print help and exit'

# dbops config check
complete -c dbops -n '__dbops_at dbops config check' -l format -x -a 'table expanded json ndjson csv' -d 'how rows are printed'
complete -c dbops -n '__dbops_at dbops config check' -l config -r -F -d 'configuration file instead of the first of ./dbops.yaml, ~/.config/dbops/dbops.yaml, /etc/dbops/dbops.yaml'
complete -c dbops -n '__dbops_at dbops config check' -l profile -x -a '(__dbops_values)' -d 'use this profile of the configuration (default: its default_profile)'
complete -c dbops -n '__dbops_at dbops config check' -s 'q' -l quiet -d 'only warnings and errors on stderr, no progress'
complete -c dbops -n '__dbops_at dbops config check' -s 'v' -l verbose -d 'say more about what is done'
complete -c dbops -n '__dbops_at dbops config check' -l log-format -x -a 'text json' -d 'messages on stderr: text, or one JSON object a line'
complete -c dbops -n '__dbops_at dbops config check' -l progress -x -a 'auto bar plain json none' -d 'progress on stderr; auto: a bar on a terminal, else a line every 30 s'
complete -c dbops -n '__dbops_at dbops config check' -l color -x -a 'auto always never' -d 'colors; auto: on a terminal, unless NO_COLOR is set'
complete -c dbops -n '__dbops_at dbops config check' -s '?' -l help -d 'print help and exit'

# dbops completion
complete -c dbops -n '__dbops_at dbops completion' -a '(__dbops_values)'
complete -c dbops -n '__dbops_at dbops completion' -l config -r -F -d 'configuration file instead of the first of ./dbops.yaml, ~/.config/dbops/dbops.yaml, /etc/dbops/dbops.yaml'
complete -c dbops -n '__dbops_at dbops completion' -l profile -x -a '(__dbops_values)' -d 'use this profile of the configuration (default: its default_profile)'
complete -c dbops -n '__dbops_at dbops completion' -s 'q' -l quiet -d 'only warnings and errors on stderr, no progress'
complete -c dbops -n '__dbops_at dbops completion' -s 'v' -l verbose -d 'say more about what is done'
complete -c dbops -n '__dbops_at dbops completion' -l log-format -x -a 'text json' -d 'messages on stderr: text, or one JSON object a line'
complete -c dbops -n '__dbops_at dbops completion' -l progress -x -a 'auto bar plain json none' -d 'progress on stderr; auto: a bar on a terminal, else a line every 30 s'
complete -c dbops -n '__dbops_at dbops completion' -l color -x -a 'auto always never' -d 'colors; auto: on a terminal, unless NO_COLOR is set'
complete -c dbops -n '__dbops_at dbops completion' -s '?' -l help -d 'print help and exit'

# dbops help
complete -c dbops -n '__dbops_at dbops help' -a '(__dbops_values)'
complete -c dbops -n '__dbops_at dbops help' -l format -x -a 'text man json' -d 'text; man: the manual page\'s source; json: the whole command line, described'
complete -c dbops -n '__dbops_at dbops help' -l config -r -F -d 'configuration file instead of the first of ./dbops.yaml, ~/.config/dbops/dbops.yaml, /etc/dbops/dbops.yaml'
complete -c dbops -n '__dbops_at dbops help' -l profile -x -a '(__dbops_values)' -d 'use this profile of the configuration (default: its default_profile)'
complete -c dbops -n '__dbops_at dbops help' -s 'q' -l quiet -d 'only warnings and errors on stderr, no progress'
complete -c dbops -n '__dbops_at dbops help' -s 'v' -l verbose -d 'say more about what is done'
complete -c dbops -n '__dbops_at dbops help' -l log-format -x -a 'text json' -d 'messages on stderr: text, or one JSON object a line'
complete -c dbops -n '__dbops_at dbops help' -l progress -x -a 'auto bar plain json none' -d 'progress on stderr; auto: a bar on a terminal, else a line every 30 s'
complete -c dbops -n '__dbops_at dbops help' -l color -x -a 'auto always never' -d 'colors; auto: on a terminal, unless NO_COLOR is set'
complete -c dbops -n '__dbops_at dbops help' -s '?' -l help -d 'print help and exit'

# dbops version
complete -c dbops -n '__dbops_at dbops version' -l format -x -a 'text json' -d 'how the result is printed'
complete -c dbops -n '__dbops_at dbops version' -l config -r -F -d 'configuration file instead of the first of ./dbops.yaml, ~/.config/dbops/dbops.yaml, /etc/dbops/dbops.yaml'
complete -c dbops -n '__dbops_at dbops version' -l profile -x -a '(__dbops_values)' -d 'use this profile of the configuration (default: its default_profile)'
complete -c dbops -n '__dbops_at dbops version' -s 'q' -l quiet -d 'only warnings and errors on stderr, no progress'
complete -c dbops -n '__dbops_at dbops version' -s 'v' -l verbose -d 'say more about what is done'
complete -c dbops -n '__dbops_at dbops version' -l log-format -x -a 'text json' -d 'messages on stderr: text, or one JSON object a line'
complete -c dbops -n '__dbops_at dbops version' -l progress -x -a 'auto bar plain json none' -d 'progress on stderr; auto: a bar on a terminal, else a line every 30 s'
complete -c dbops -n '__dbops_at dbops version' -l color -x -a 'auto always never' -d 'colors; auto: on a terminal, unless NO_COLOR is set'
complete -c dbops -n '__dbops_at dbops version' -s '?' -l help -d 'print help and exit'
