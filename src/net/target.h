/* SPDX-License-Identifier: MIT */
/* target.h -- the target of a request, "/v1/a%20b?c=d", taken apart, and forms, which are written as queries are. Percent-decoding is
 * done once, by segment and by argument. */
#ifndef TAIN_NET_TARGET_H
#define TAIN_NET_TARGET_H

#include "net/http.h"

typedef struct tain_http_arguments {
    tain_http_field *fields;
    size_t           count;
} tain_http_arguments;

typedef struct tain_http_target {
    char               *path; /* as http.h promises it */
    char               *authority; /* of a target that is a whole URL (RFC 9112, 3.2.2); NULL: it is none */
    tain_http_arguments query;
} tain_http_target;

/* NULL: well; else why it is refused, and ret is empty. */
const char *tain_http_target_parse(const char *text, tain_http_target *ret);
/* It as text again, the argument of that name being another, and the last. Caller frees. */
char       *tain_http_target_with(const tain_http_target *t, const char *name, const char *value);
void        tain_http_target_done(tain_http_target *t);

/* "a=b&c=d", likewise. */
const char *tain_http_arguments_parse(const char *text, size_t n, tain_http_arguments *ret);
/* The first of that name; NULL: there is none. Borrowed. */
const char *tain_http_arguments_get(const tain_http_arguments *a, const char *name);
void        tain_http_arguments_done(tain_http_arguments *a);

#endif
