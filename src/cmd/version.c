/* SPDX-License-Identifier: PostgreSQL */
/* dbops version - which dbops, built with which libraries. */
#include <curl/curl.h>
#include <libpq-fe.h>
#include <yaml.h>
#include <zlib.h>

#include "build_config.h"
#include "commands.h"
#include "help.h"

static void fill(struct json *j, const void *data)
{
	(void)data;
	jsonw_string(j, "version", DBOPS_VERSION);
	jsonw_object_begin(j, "libraries");
	jsonw_stringf(j, "libpq", "%d.%d", PQlibVersion() / 10000, PQlibVersion() % 10000);
	jsonw_string(j, "zlib", zlibVersion());
	jsonw_string(j, "libcurl", curl_version_info(CURLVERSION_NOW)->version);
	jsonw_string(j, "libyaml", yaml_get_version_string());
	jsonw_object_end(j);
	jsonw_bool(j, "isal", HAVE_ISAL);
}

static bool run(struct app *app, const void *args, struct error *err)
{
	(void)args;
	if (app->report.format == FORMAT_JSON)
		return report_document(&app->report, fill, NULL, err);
	return version_print(app->report.out, err);
}

static const struct example examples[] = {
	{ "dbops version --format json", "The version and those of the libraries, for a bug report." },
	{ NULL, NULL },
};

const struct command version_command = {
	.name = "version",
	.summary = "print the version",
	.detail = "Prints the version of dbops. With --format json also the versions of the libraries that "
		  "it runs with.",
	.examples = examples,
	.flags = COMMAND_DOCUMENT | COMMAND_NO_CONFIG,
	.run = run,
};
