/* SPDX-License-Identifier: PostgreSQL */
/* The tables as manual pages, with the macros of man(7). */
#include "help.h"

#include "app.h"
#include "build_config.h"
#include "xalloc.h"

/* Text with roff's special characters made plain; '-' stays a minus that can be copied. */
static void add_roff(struct strbuf *out, const char *s)
{
	bool line_start = !out->len || out->buf[out->len - 1] == '\n';

	for (; *s; s++) {
		if (line_start && (*s == '.' || *s == '\''))
			strbuf_adds(out, "\\&");
		line_start = *s == '\n';
		switch (*s) {
		case '\\':
			strbuf_adds(out, "\\e");
			break;
		case '-':
			strbuf_adds(out, "\\-");
			break;
		case '~':
			strbuf_adds(out, "\\(ti");
			break;
		case '^':
			strbuf_adds(out, "\\(ha");
			break;
		case '`':
			strbuf_adds(out, "\\(ga");
			break;
		default:
			strbuf_addch(out, *s);
		}
	}
}

/* s with its first letter upper case and a full stop at its end: table texts become sentences. */
static void add_sentence(struct strbuf *out, const char *s)
{
	_cleanup_strbuf_ struct strbuf text = STRBUF_INIT;
	size_t len = strlen(s);

	strbuf_adds(&text, s);
	if (*s >= 'a' && *s <= 'z')
		text.buf[0] = (char)(*s - 'a' + 'A');
	if (len && s[len - 1] != '.')
		strbuf_addch(&text, '.');
	add_roff(out, text.buf);
	strbuf_addch(out, '\n');
}

static void add_paragraphs(struct strbuf *out, const char *text)
{
	bool first = true;

	while (*text) {
		const char *end = strstr(text, "\n\n");
		size_t len = end ? (size_t)(end - text) : strlen(text);
		autofree char *paragraph = xstrndup(text, len);

		if (!first)
			strbuf_adds(out, ".PP\n");
		add_roff(out, paragraph);
		strbuf_addch(out, '\n');
		first = false;
		text += len + (end ? 2 : 0);
	}
}

/* "dbops-config-show" */
static char *page_name(const char *path)
{
	char *name = xstrdup(path);

	for (char *p = name; *p; p++)
		if (*p == ' ')
			*p = '-';
	return name;
}

static void add_title(struct strbuf *out, const char *name, int section)
{
	strbuf_adds(out, ".\\\" Made by 'dbops help --format man' from the command tables.\n.TH ");
	for (const char *p = name; *p; p++)
		strbuf_addch(out, *p >= 'a' && *p <= 'z' ? (char)(*p - 'a' + 'A') : *p);
	strbuf_addf(out, " %d " DBOPS_MAN_DATE " \"dbops " DBOPS_VERSION "\" \"dbops manual\"\n", section);
}

static void add_option_tag(struct strbuf *out, const struct option_sets *sets, const struct option *o)
{
	autofree char *metavar = option_metavar(o);

	strbuf_adds(out, ".TP\n");
	if (short_name_is_free(sets, o))
		strbuf_addf(out, "\\fB\\-%c\\fR, ", o->short_name);
	strbuf_adds(out, "\\fB\\-\\-");
	add_roff(out, o->long_name);
	strbuf_adds(out, "\\fR");
	if (metavar) {
		strbuf_adds(out, " \\fI");
		add_roff(out, metavar);
		strbuf_adds(out, "\\fR");
	}
	strbuf_addch(out, '\n');
}

static void add_option_facts(struct strbuf *out, const struct option *o)
{
	_cleanup_strbuf_ struct strbuf text = STRBUF_INIT;

	if (o->type == OPTION_LIST && !strstr(o->help, "repeated"))
		strbuf_adds(&text, "May be repeated. ");
	if (o->fallback && o->type != OPTION_FLAG)
		strbuf_addf(&text, "Default: %s. ", o->fallback);
	if (o->env)
		strbuf_addf(&text, "Environment: %s. ", o->env);
	if (o->config_key)
		strbuf_addf(&text, "Configuration: %s. ", o->config_key);
	strbuf_trim(&text);
	if (!text.len)
		return;
	add_roff(out, text.buf);
	strbuf_addch(out, '\n');
}

static void add_option(struct strbuf *out, const struct option_sets *sets, const struct option *o)
{
	add_option_tag(out, sets, o);
	add_sentence(out, o->help);
	add_option_facts(out, o);
}

static void add_options(struct strbuf *out, const struct option_sets *sets)
{
	strbuf_adds(out, ".SH OPTIONS\n");
	for (size_t i = 0; i < sets->len; i++) {
		const struct option *o = sets->items[i].options;

		if (sets->items[i].title && i > 0)
			strbuf_addf(out, ".SS \"%s\"\n", sets->items[i].title);
		for (; o->type != OPTION_END; o++) {
			if (o->type == OPTION_GROUP)
				strbuf_addf(out, ".SS \"%s\"\n", o->long_name);
			else if (!(o->flags & OPTION_HIDDEN))
				add_option(out, sets, o);
		}
	}
}

static void add_tagged(struct strbuf *out, const char *tag, const char *text)
{
	strbuf_adds(out, ".TP\n\\fB");
	add_roff(out, tag);
	strbuf_adds(out, "\\fR\n");
	add_sentence(out, text);
}

static void add_operands(struct strbuf *out, const struct command *c)
{
	if (!c->operands)
		return;
	strbuf_adds(out, ".SH OPERANDS\n");
	for (const struct operand *o = c->operands; o->name; o++)
		add_tagged(out, o->name, o->help);
}

static void add_children(struct strbuf *out, const struct command *c, const char *page)
{
	if (!c->children)
		return;
	strbuf_adds(out, ".SH COMMANDS\n");
	for (const struct command *const *child = c->children; *child; child++) {
		if ((*child)->flags & COMMAND_HIDDEN)
			continue;

		autofree char *tag = xasprintf("%s-%s(1)", page, (*child)->name);

		add_tagged(out, tag, (*child)->summary);
	}
}

static const char *unit_of(enum cell_type type)
{
	switch (type) {
	case CELL_SIZE:
		return "; bytes in JSON and CSV";
	case CELL_DURATION:
	case CELL_LATENCY:
		return "; seconds in JSON and CSV";
	case CELL_TIME:
		return "; ISO 8601, UTC";
	case CELL_ID:
		return "; a string in JSON";
	default:
		return "";
	}
}

static void add_column_table(struct strbuf *out, const struct column *columns)
{
	for (const struct column *column = columns; column->type != CELL_END; column++) {
		autofree char *text =
			xasprintf("%s%s", column->help ? column->help : "", unit_of(column->type));

		add_tagged(out, column->key, text);
	}
}

static void add_columns(struct strbuf *out, const struct command *c)
{
	if (!c->columns)
		return;
	strbuf_adds(out, ".SH COLUMNS\nThe names are the keys in JSON and the header in CSV.\n");
	add_column_table(out, c->columns);
	for (const struct column_set *s = c->more_columns; s && s->when; s++) {
		strbuf_adds(out, ".SS \"Columns ");
		add_roff(out, s->when);
		strbuf_adds(out, "\"\n");
		add_column_table(out, s->columns);
	}
}

static void add_config_keys(struct strbuf *out, const struct option_sets *sets)
{
	bool any = false;

	for (size_t i = 0; i < sets->len; i++)
		for (const struct option *o = sets->items[i].options; o->type != OPTION_END; o++) {
			if (!o->config_key)
				continue;
			strbuf_adds(out, any ? ", " : ".SH CONFIGURATION\nThese keys of \\fBdbops.yaml\\fR(5) "
						      "stand for options: ");
			strbuf_adds(out, "\\fB");
			add_roff(out, o->config_key);
			strbuf_adds(out, "\\fR");
			any = true;
		}
	if (any)
		strbuf_adds(out, ".\nThe command line goes before the environment, the environment before "
				 "the profile, the profile before the top level of the file.\n");
}

static void add_exit_status(struct strbuf *out)
{
	const char *name, *sentence;
	int number;

	strbuf_adds(out, ".SH EXIT STATUS\n");
	for (unsigned i = 0; exit_code_at(i, &number, &name, &sentence); i++) {
		autofree char *tag = xasprintf("%d", number);

		add_tagged(out, tag, sentence);
	}
}

static void add_examples(struct strbuf *out, const struct command *c)
{
	if (!c->examples)
		return;
	strbuf_adds(out, ".SH EXAMPLES\n");
	for (const struct example *e = c->examples; e->command; e++) {
		add_tagged(out, e->command, e->text);
	}
}

static void add_see_also(struct strbuf *out, const struct command *c, const char *page)
{
	autofree char *parent = xstrdup(page);
	char *dash = strrchr(parent, '-');

	strbuf_adds(out, ".SH SEE ALSO\n");
	if (!(c->flags & COMMAND_ROOT)) {
		*dash = '\0';
		strbuf_adds(out, "\\fB");
		add_roff(out, parent);
		strbuf_adds(out, "\\fR(1), ");
	}
	strbuf_adds(out, "\\fBdbops.yaml\\fR(5)\n");
}

void man_page(const struct command *c, const char *path, struct strbuf *out)
{
	_cleanup_strbuf_ struct strbuf usage = STRBUF_INIT;
	autofree char *page = page_name(path);
	struct option_sets sets;

	command_option_sets(c, &sets);
	add_title(out, page, 1);
	strbuf_adds(out, ".SH NAME\n");
	add_roff(out, page);
	strbuf_adds(out, " \\- ");
	add_roff(out, c->summary);
	strbuf_adds(out, "\n.SH SYNOPSIS\n\\fB");
	add_roff(out, path);
	strbuf_adds(out, "\\fR");
	usage_operands(c, &usage);
	add_roff(out, usage.buf);
	strbuf_adds(out, "\n.SH DESCRIPTION\n");
	add_paragraphs(out, c->detail ? c->detail : c->summary);
	add_children(out, c, page);
	add_operands(out, c);
	add_options(out, &sets);
	add_columns(out, c);
	add_config_keys(out, &sets);
	add_exit_status(out);
	add_examples(out, c);
	add_see_also(out, c, page);
}

static void add_key(struct strbuf *out, const struct option *o)
{
	autofree char *metavar = option_takes_value(o) ? option_metavar(o) : xstrdup("true|false");

	strbuf_adds(out, ".TP\n\\fB");
	add_roff(out, o->config_key);
	strbuf_adds(out, "\\fR: \\fI");
	add_roff(out, metavar);
	strbuf_adds(out, "\\fR\n");
	add_sentence(out, o->help);
	if (o->fallback && o->type != OPTION_FLAG) {
		strbuf_adds(out, "Default: ");
		add_roff(out, o->fallback);
		strbuf_adds(out, ".\n");
	}
}

static const char config_intro[] =
	".SH DESCRIPTION\n"
	"The configuration of dbops is YAML. The first of these files is read: \\fB\\-\\-config\\fR, "
	"$DBOPS_CONFIG, \\fI./dbops.yaml\\fR, \\fI$XDG_CONFIG_HOME/dbops/dbops.yaml\\fR "
	"(\\fI\\(ti/.config\\fR when that is not set), \\fI/etc/dbops/dbops.yaml\\fR.\n"
	".PP\n"
	"Every key below may stand at the top level, where it applies always, and in a profile, where it "
	"applies with \\fB\\-\\-profile\\fR, $DBOPS_PROFILE or \\fBdefault_profile\\fR. Dots and nesting "
	"mean the same. An unknown key is an error.\n"
	".SH EXAMPLE\n"
	".nf\n"
	"default_profile: app\n"
	"profiles:\n"
	"  app:\n"
	"    dbname: host=db.example.org dbname=app user=backup\n"
	"    backup: {dir: /var/backups/dbops}\n"
	"remotes:\n"
	"  s3: {bucket: example\\-backups, prefix: app, region: eu\\-central\\-1}\n"
	"suppressions:\n"
	"  yearly\\-report:\n"
	"    finding: indexes.unused\n"
	"    object: public.audit_*\n"
	"    reason: the report of the year needs it\n"
	"    expires: 2027\\-01\\-31\n"
	".fi\n"
	".SH FRAME\n"
	".TP\n"
	"\\fBdefault_profile\\fR: \\fINAME\\fR\n"
	"The profile that is used when none is named.\n";


static void add_frame(struct strbuf *out)
{
	for (unsigned i = 0; i < CONFIG_SECTIONS; i++)
		if (config_named[i].key)
			strbuf_addf(out, ".TP\n\\fB%s\\fR: \\fINAME\\fR: ...\n%s\n", config_named[i].key,
				config_named[i].help);
}

static void add_named_keys(struct strbuf *out)
{
	for (unsigned i = 0; i < CONFIG_SECTIONS; i++) {
		if (!config_named[i].title)
			continue;
		strbuf_addf(out, ".SH %s\n", config_named[i].title);
		for (const struct option *o = config_named[i].options; o->type != OPTION_END; o++)
			add_key(out, o);
	}
}

void man_config_page(const struct command *root, struct strbuf *out)
{
	struct config_schema schema = { 0 };

	app_config_schema(root, &schema);
	add_title(out, "dbops.yaml", 5);
	strbuf_adds(out, ".SH NAME\ndbops.yaml \\- configuration of dbops\n");
	strbuf_adds(out, config_intro);
	add_frame(out);
	strbuf_adds(out, ".SH KEYS\n");
	for (size_t i = 0; i < schema.len; i++)
		add_key(out, schema.items[i]);
	add_named_keys(out);
	strbuf_adds(out, ".SH SEE ALSO\n\\fBdbops\\fR(1), \\fBdbops\\-config\\-show\\fR(1), "
			 "\\fBdbops\\-config\\-check\\fR(1)\n");
	vec_release(&schema);
}
