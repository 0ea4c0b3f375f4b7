/* SPDX-License-Identifier: PostgreSQL
 *
 * s3_store_tool - drives one storage from a test: s3_store_tool [--OPTION VALUE]... COMMAND [ARGUMENT]...
 *
 *	put KEY TEXT | get KEY OFFSET LENGTH | cat KEY | stat KEY | list PREFIX | folders PREFIX
 *	remove KEY... | stream KEY BYTES CHUNK [COUNT] | hold KEY BYTES | uploads PREFIX | sweep PREFIX | sign
 *
 * LENGTH -1 reads to the end. stream writes BYTES bytes of a known pattern (byte i is i * 31 mod 251) in pieces of
 * CHUNK, COUNT times (KEY, KEY.1, …); hold does so and waits for SIGINT before it commits; sweep aborts uploads. Options are those of struct
 * s3_options; --file PATH uses the file storage. Credentials come from the environment. Results are JSON lines on
 * stdout; an error is a JSON object on stderr, and its code the exit status.
 *
 * sign reads one request per line from stdin, as JSON, and prints its Authorization: the peer of botocore in
 * tests/e2e/test_storage_s3.py.
 */
#include <inttypes.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "json.h"
#include "s3_sign.h"
#include "storage.h"

static struct cancel stop = CANCEL_INIT;

static void on_signal(int number)
{
	cancel_request(&stop, number);
}

struct tool {
	struct s3_options s3;
	const char *file;
	struct storage *storage;
	char **arguments; /* after the command */
	int n_arguments;
};

static const struct {
	const char *name;
	size_t offset;
	enum { TEXT, NUMBER, WORD, SWITCH } type;
} options[] = {
	{ "--bucket", offsetof(struct s3_options, bucket), TEXT },
	{ "--prefix", offsetof(struct s3_options, prefix), TEXT },
	{ "--region", offsetof(struct s3_options, region), TEXT },
	{ "--endpoint", offsetof(struct s3_options, endpoint), TEXT },
	{ "--profile", offsetof(struct s3_options, profile), TEXT },
	{ "--sse", offsetof(struct s3_options, sse), TEXT },
	{ "--storage-class", offsetof(struct s3_options, storage_class), TEXT },
	{ "--ca-file", offsetof(struct s3_options, ca_file), TEXT },
	{ "--path-style", offsetof(struct s3_options, path_style), WORD },
	{ "--content-md5", offsetof(struct s3_options, content_md5), SWITCH },
	{ "--part-size", offsetof(struct s3_options, part_size), NUMBER },
	{ "--slots", offsetof(struct s3_options, slots), NUMBER },
	{ "--max-rate", offsetof(struct s3_options, max_rate), NUMBER },
	{ "--retry-ms", offsetof(struct s3_options, retry_base_ms), NUMBER },
	{ "--stall", offsetof(struct s3_options, stall_seconds), NUMBER },
};

static void set_option(struct tool *t, const char *name, char *value)
{
	if (strcmp(name, "--file") == 0) {
		t->file = value;
		return;
	}
	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
		char *member = (char *)&t->s3 + options[i].offset;

		if (strcmp(options[i].name, name) != 0)
			continue;
		if (options[i].type == TEXT)
			*(const char **)member = value;
		else if (options[i].type == NUMBER)
			*(int64_t *)member = strtoll(value, NULL, 10);
		else if (options[i].type == WORD)
			*(int *)member = (int)strtol(value, NULL, 10);
		else
			*(bool *)member = strcmp(value, "1") == 0;
		return;
	}
	BUG("unknown option %s", name);
}

static const char *argument(const struct tool *t, int i)
{
	if (i >= t->n_arguments)
		BUG("an argument is missing");
	return t->arguments[i];
}

static uint64_t number(const struct tool *t, int i)
{
	return strtoull(argument(t, i), NULL, 10);
}

static void print_entry(const struct storage_entry *e)
{
	_cleanup_strbuf_ struct strbuf sb = STRBUF_INIT;
	struct json j = JSON_INIT(&sb, 0);

	jsonw_object_begin(&j, NULL);
	jsonw_string(&j, "key", e->key);
	jsonw_int(&j, "size", e->size);
	jsonw_time(&j, "mtime", e->mtime);
	jsonw_object_end(&j);
	puts(sb.buf);
}

static bool do_put(struct tool *t, struct error *err)
{
	const char *text = argument(t, 1);

	return storage_put(t->storage, argument(t, 0), text, strlen(text), err);
}

static bool do_get(struct tool *t, struct error *err)
{
	_cleanup_strbuf_ struct strbuf sb = STRBUF_INIT;

	if (!storage_get(t->storage, argument(t, 0), number(t, 1), (size_t)number(t, 2), &sb, err))
		return false;
	fwrite(sb.buf, 1, sb.len, stdout);
	return true;
}

static bool do_cat(struct tool *t, struct error *err)
{
	_cleanup_strbuf_ struct strbuf sb = STRBUF_INIT;

	if (!storage_get_all(t->storage, argument(t, 0), 1 << 30, &sb, err))
		return false;
	fwrite(sb.buf, 1, sb.len, stdout);
	return true;
}

static bool do_stat(struct tool *t, struct error *err)
{
	struct storage_entry e = { 0 };

	if (!storage_stat(t->storage, argument(t, 0), &e, err))
		return false;
	print_entry(&e);
	free(e.key);
	return true;
}

static bool list(struct tool *t, bool delimiter, struct error *err)
{
	_cleanup_listing_ struct storage_listing l = { 0 };

	if (!storage_list(t->storage, argument(t, 0), delimiter, &l, err))
		return false;
	for (size_t i = 0; i < l.len; i++)
		print_entry(&l.items[i]);
	return true;
}

static bool do_list(struct tool *t, struct error *err)
{
	return list(t, false, err);
}

static bool do_folders(struct tool *t, struct error *err)
{
	return list(t, true, err);
}

static bool do_remove(struct tool *t, struct error *err)
{
	return storage_remove(
		t->storage, (const char *const *)t->arguments, (size_t)t->n_arguments, err);
}

static bool append_pattern(struct storage_stream *st, uint64_t bytes, size_t chunk, struct error *err)
{
	autofree unsigned char *piece = xmalloc(chunk ? chunk : 1);

	for (uint64_t done = 0; done < bytes;) {
		size_t n = bytes - done < chunk ? (size_t)(bytes - done) : chunk;

		for (size_t i = 0; i < n; i++)
			piece[i] = (unsigned char)((done + i) * 31 % 251);
		if (!storage_stream_append(st, piece, n, err))
			return false;
		done += n;
	}
	return true;
}

static bool stream(struct tool *t, const char *key, size_t chunk, bool hold, struct error *err)
{
	struct storage_stream *st = NULL;
	char byte;

	if (!storage_stream_open(t->storage, key, &st, err))
		return false;
	if (!append_pattern(st, number(t, 1), chunk, err)) {
		storage_stream_abort(st);
		return false;
	}
	if (hold) {
		puts("holding");
		fflush(stdout);
		while (!cancel_requested(&stop) && read(STDIN_FILENO, &byte, 1) > 0)
			;
	}
	return storage_stream_commit(st, err);
}

static bool do_stream(struct tool *t, struct error *err)
{
	uint64_t count = t->n_arguments > 3 ? number(t, 3) : 1;
	bool ok = stream(t, argument(t, 0), (size_t)number(t, 2), false, err);

	for (uint64_t i = 1; ok && i < count; i++) {
		autofree char *key = xasprintf("%s.%" PRIu64, argument(t, 0), i);

		ok = stream(t, key, (size_t)number(t, 2), false, err);
	}
	return ok;
}

static bool do_hold(struct tool *t, struct error *err)
{
	return stream(t, argument(t, 0), 65536, true, err);
}

static bool each_upload(struct tool *t, bool remove, struct error *err)
{
	struct storage_upload *u = NULL;
	size_t n = 0;
	bool ok = t->storage->ops->uploads(t->storage, argument(t, 0), &u, &n, err);

	for (size_t i = 0; i < n; i++) {
		if (remove)
			ok = ok && t->storage->ops->upload_abort(t->storage, &u[i], err);
		else
			printf("{\"key\":\"%s\",\"started\":%" PRId64 "}\n", u[i].key, u[i].started);
		free(u[i].key);
		free(u[i].upload_id);
	}
	free(u);
	return ok;
}

static bool do_uploads(struct tool *t, struct error *err)
{
	return each_upload(t, false, err);
}

static bool do_sweep(struct tool *t, struct error *err)
{
	return each_upload(t, true, err);
}

static const char *member(const json_t *object, const char *name)
{
	return json_string_value(json_object_get(object, name));
}

enum { MAX_PAIRS = 64 };

static size_t pairs(const json_t *list, struct s3_pair *ret)
{
	size_t n = json_array_size(list);

	for (size_t i = 0; i < n && i < MAX_PAIRS; i++) {
		const json_t *pair = json_array_get(list, i);

		ret[i] = (struct s3_pair){ json_string_value(json_array_get(pair, 0)),
			json_string_value(json_array_get(pair, 1)) };
	}
	return n < MAX_PAIRS ? n : MAX_PAIRS;
}

static void sign_line(const char *line)
{
	json_auto_t *request = json_loads(line, 0, NULL);
	struct s3_pair query[MAX_PAIRS], headers[MAX_PAIRS];
	_cleanup_strbuf_ struct strbuf out = STRBUF_INIT, path = STRBUF_INIT;

	if (!request)
		BUG("not JSON: %s", line);
	s3_encode_path(member(request, "path"), &path);
	s3_sign(&(struct s3_sign_input){
			.method = member(request, "method"),
			.path = path.buf,
			.query = query,
			.n_query = pairs(json_object_get(request, "query"), query),
			.headers = headers,
			.n_headers = pairs(json_object_get(request, "headers"), headers),
			.payload_sha256 = member(request, "payload_sha256"),
			.access_key_id = member(request, "access_key_id"),
			.secret_access_key = member(request, "secret_access_key"),
			.region = member(request, "region"),
			.service = "s3",
			.time = json_integer_value(json_object_get(request, "time")),
		},
		&out);
	puts(out.buf);
}

static void sign_stdin(void)
{
	autofree char *line = NULL;
	size_t alloc = 0;

	while (getline(&line, &alloc, stdin) > 0)
		sign_line(line);
}

static const struct {
	const char *name;
	bool (*run)(struct tool *t, struct error *err);
} commands[] = {
	{ "put", do_put },
	{ "get", do_get },
	{ "cat", do_cat },
	{ "stat", do_stat },
	{ "list", do_list },
	{ "folders", do_folders },
	{ "remove", do_remove },
	{ "stream", do_stream },
	{ "hold", do_hold },
	{ "uploads", do_uploads },
	{ "sweep", do_sweep },
};

static bool run(struct tool *t, const char *command, struct error *err)
{
	t->storage = t->file ? storage_file_open(t->file, true, err) : storage_s3_open(&t->s3, err);
	if (!t->storage)
		return false;
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		struct storage_stats stats;

		if (strcmp(commands[i].name, command) != 0)
			continue;

		bool ok = commands[i].run(t, err);

		t->storage->ops->stats(t->storage, &stats);
		fprintf(stderr,
			"{\"requests\":%" PRIu64 ",\"retries\":%" PRIu64 ",\"sent\":%" PRIu64
			",\"received\":%" PRIu64 "}\n",
			stats.requests, stats.retries, stats.bytes_sent, stats.bytes_received);
		storage_close(t->storage);
		return ok;
	}
	BUG("unknown command %s", command);
}

static int report(const struct error *err)
{
	_cleanup_strbuf_ struct strbuf sb = STRBUF_INIT;
	struct json j = JSON_INIT(&sb, 0);

	jsonw_object_begin(&j, NULL);
	jsonw_string(&j, "code", exit_code_name((int)err->code));
	jsonw_string(&j, "message", err->message);
	jsonw_string(&j, "detail", err->detail);
	jsonw_string(&j, "hint", err->hint);
	jsonw_object_end(&j);
	fprintf(stderr, "%s\n", sb.buf);
	return (int)err->code;
}

int main(int argc, char **argv)
{
	_cleanup_error_ struct error err = ERROR_INIT;
	struct tool t = { .s3.path_style = -1, .s3.cancel = &stop };
	int i = 1;

	for (; i + 1 < argc && strncmp(argv[i], "--", 2) == 0; i += 2)
		set_option(&t, argv[i], argv[i + 1]);
	if (i >= argc)
		BUG("a command is missing");
	if (strcmp(argv[i], "sign") == 0) {
		sign_stdin();
		return 0;
	}
	t.arguments = argv + i + 1;
	t.n_arguments = argc - i - 1;
	if (!cancel_open(&stop, &err))
		return report(&err);

	struct sigaction action = { .sa_handler = on_signal };

	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	return run(&t, argv[i], &err) ? 0 : report(&err);
}
