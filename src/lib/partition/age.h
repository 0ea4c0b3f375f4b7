/* SPDX-License-Identifier: PostgreSQL
 *
 * age.h - an interval that decides what is removed. PostgreSQL takes '12' for twelve seconds and '12 m' for twelve minutes; who writes
 * that means months, or days.
 */
#ifndef DBOPS_PARTITION_AGE_H
#define DBOPS_PARTITION_AGE_H

#include "error.h"

/* EXIT_USAGE when a number in text has no unit, or the unit "m". Whether it is an interval at all is for the server to say. */
bool age_check(const char *text, struct error *err);

#endif
