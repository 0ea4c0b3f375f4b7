/* SPDX-License-Identifier: PostgreSQL */
/* The options that the framework gives to commands, by what they need. */
#include "app.h"

static const char *const log_formats[] = { "text", "json", NULL };
static const char *const progress_modes[] = { "auto", "bar", "plain", "json", "none", NULL };
static const char *const color_modes[] = { "auto", "always", "never", NULL };
static const char *const row_formats[] = { "table", "expanded", "json", "ndjson", "csv", NULL };
static const char *const inspect_formats[] = { "table", "expanded", "json", "ndjson", "csv", "prom", "nagios", NULL };
static const char *const document_formats[] = { "text", "json", NULL };

const struct option app_global_options[] = {
	OPT_PATH(struct app, config_path, .long_name = "config", .metavar = "FILE", .env = "DBOPS_CONFIG",
		.help = "configuration file instead of the first of ./dbops.yaml, "
			"~/.config/dbops/dbops.yaml, /etc/dbops/dbops.yaml"),
	OPT_STRING(struct app, profile, .long_name = "profile", .metavar = "NAME", .env = "DBOPS_PROFILE",
		.complete = COMPLETE_PROFILE,
		.help = "use this profile of the configuration (default: its default_profile)"),
	OPT_FLAG(struct app, quiet, .short_name = 'q', .long_name = "quiet",
		.help = "only warnings and errors on stderr, no progress"),
	OPT_FLAG(struct app, verbose, .short_name = 'v', .long_name = "verbose",
		.help = "say more about what is done"),
	OPT_ENUM(struct app, log_format, .long_name = "log-format", .choices = log_formats,
		.env = "DBOPS_LOG_FORMAT", .config_key = "log_format", .fallback = "text",
		.help = "messages on stderr: text, or one JSON object a line"),
	OPT_ENUM(struct app, progress_mode, .long_name = "progress", .choices = progress_modes,
		.env = "DBOPS_PROGRESS", .config_key = "progress", .fallback = "auto",
		.help = "progress on stderr; auto: a bar on a terminal, else a line every 30 s"),
	OPT_ENUM(struct app, color_mode, .long_name = "color", .choices = color_modes,
		.config_key = "color", .fallback = "auto",
		.help = "colors; auto: on a terminal, unless NO_COLOR is set"),
	OPT_FLAG(struct app, help, .short_name = '?', .long_name = "help",
		.help = "print help and exit"),
	OPT_END,
};

const struct option app_root_options[] = {
	OPT_FLAG(struct app, version, .short_name = 'V', .long_name = "version",
		.help = "print the version and exit"),
	OPT_END,
};

const struct option app_server_options[] = {
	OPT_STRING(struct app, dbname, .short_name = 'd', .long_name = "dbname", .metavar = "DBNAME",
		.env = "DATABASE_URL", .config_key = "dbname",
		.help = "database: a name, a connection string (host=… dbname=…) or a URL "
			"(postgres://…)"),
	OPT_STRING(struct app, host, .short_name = 'h', .long_name = "host", .metavar = "HOST",
		.config_key = "host", .help = "server's host name or socket directory"),
	OPT_STRING(struct app, port, .short_name = 'p', .long_name = "port", .metavar = "PORT",
		.config_key = "port", .help = "server's port"),
	OPT_STRING(struct app, user, .short_name = 'U', .long_name = "username", .metavar = "USER",
		.config_key = "username", .help = "user to connect as"),
	OPT_FLAG(struct app, no_password, .short_name = 'w', .long_name = "no-password",
		.help = "never ask for a password, as psql's; dbops never does: the password comes from "
			"~/.pgpass, PGPASSWORD or a service file"),
	OPT_END,
};

const struct option app_repository_options[] = {
	OPT_PATH(struct app, dir, .long_name = "dir", .metavar = "DIR", .config_key = "backup.dir",
		.fallback = "./backups", .complete = COMPLETE_DIR, .help = "folder that holds the backups"),
	OPT_STRING(struct app, from, .long_name = "from", .metavar = "REMOTE",
		.complete = COMPLETE_REMOTE,
		.help = "remote of the configuration, or s3://BUCKET/PREFIX, instead of the folder"),
	OPT_END,
};

const struct option app_remote_options[] = {
	OPT_PATH(struct app, ca_file, .long_name = "ca-file", .metavar = "FILE", .env = "AWS_CA_BUNDLE",
		.help = "certificates of the authorities to trust for S3, PEM"),
	OPT_END,
};

const struct option app_change_options[] = {
	OPT_FLAG(struct app, dry_run, .short_name = 'n', .long_name = "dry-run",
		.help = "print the plan, change nothing"),
	OPT_FLAG(struct app, yes, .short_name = 'y', .long_name = "yes",
		.help = "do it without asking; needed where no terminal can answer"),
	OPT_END,
};

const struct option app_rows_options[] = {
	OPT_ENUM(struct app, format, .long_name = "format", .choices = row_formats, .fallback = "table",
		.help = "how rows are printed"),
	OPT_END,
};

const struct option app_document_options[] = {
	OPT_ENUM(struct app, format, .long_name = "format", .choices = document_formats,
		.fallback = "text", .help = "how the result is printed"),
	OPT_END,
};

const struct option app_inspect_format_options[] = {
	OPT_ENUM(struct app, format, .long_name = "format", .choices = inspect_formats, .fallback = "table",
		.help = "how the answer is printed; prom: Prometheus metrics; nagios: a plugin's line, exit status "
			"as with --check"),
	OPT_END,
};

const struct option app_inspect_options[] = {
	OPT_FLAG(struct app, check, .long_name = "check",
		.help = "judge: exit status 0 ok, 1 warning, 2 critical, 3 unknown"),
	OPT_DURATION(struct app, watch, .long_name = "watch", .metavar = "TIME", .min = 500, .max = 86400000,
		.help = "ask again every TIME, until interrupted; redraws on a terminal, else one JSON document a line"),
	OPT_PATH(struct app, output, .short_name = 'o', .long_name = "output", .metavar = "FILE",
		.help = "write to FILE, whole or not at all, instead of stdout"),
	OPT_DURATION(struct app, statement_timeout, .long_name = "statement-timeout", .metavar = "TIME",
		.config_key = "inspect.statement_timeout", .fallback = "30s", .min = 100, .max = 3600000,
		.help = "limit of each of our own statements"),
	OPT_DURATION(struct app, lock_timeout, .long_name = "lock-timeout", .metavar = "TIME",
		.config_key = "inspect.lock_timeout", .fallback = "200ms", .min = 1, .max = 60000,
		.help = "how long we wait for a lock before we go without"),
	OPT_END,
};

const struct option app_delta_options[] = {
	OPT_DURATION(struct app, interval, .long_name = "interval", .metavar = "TIME", .min = 100, .max = 86400000,
		.help = "take two samples, TIME apart, and show what happened between"),
	OPT_PATH(struct app, since, .long_name = "since", .metavar = "FILE",
		.help = "show what happened since the sample in FILE"),
	OPT_PATH(struct app, save, .long_name = "save", .metavar = "FILE", .help = "write this sample to FILE, for --since"),
	OPT_END,
};
