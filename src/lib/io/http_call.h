/* SPDX-License-Identifier: PostgreSQL
 *
 * http_call.h - one small HTTP exchange, waited for: what the sources of credentials need.
 */
#ifndef DBOPS_HTTP_CALL_H
#define DBOPS_HTTP_CALL_H

#include "cancel.h"
#include "strbuf.h"
#include "vec.h"

struct http_call {
	const char *method, *url;
	const struct strvec *headers; /* "Name: value"; NULL for none */
	const char *body;             /* NULL for none */
	const char *ca_file;
	long timeout_ms;
	unsigned tries;               /* on no answer, 408, 429 and 5xx; 0 = 1 */
	bool direct;                  /* past any proxy: link-local and loopback services */
	const struct cancel *cancel;
};

/* Performs the call. True when there was an answer of any status; its body (at most 1 MiB) is
 * appended to body. False with EXIT_UNAVAILABLE when there was none. Redirects are not followed. */
bool http_call(const struct http_call *call, int *ret_status, struct strbuf *body, struct error *err);

#endif
