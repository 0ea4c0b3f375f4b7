/* SPDX-License-Identifier: PostgreSQL
 *
 * unit.h - what cmocka needs before its own header, and the length of a table.
 */
#ifndef DBOPS_UNIT_H
#define DBOPS_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#define LENGTH(a) (sizeof(a) / sizeof((a)[0]))

#endif
