/* SPDX-License-Identifier: MIT */
/* target.h -- the target of a request, "/v1/a%20b?c=d", taken apart. Percent-decoding is done once, by segment and by argument. */
#ifndef TAIN_NET_TARGET_H
#define TAIN_NET_TARGET_H

#include "net/http.h"

typedef struct tain_http_target {
    char            *path; /* as http.h promises it */
    tain_http_field *arguments;
    size_t           count;
} tain_http_target;

/* NULL: well; else why it is refused, and ret is empty. */
const char *tain_http_target_parse(const char *text, tain_http_target *ret);
void        tain_http_target_done(tain_http_target *t);

#endif
