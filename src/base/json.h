/* SPDX-License-Identifier: MIT */
/* json.h -- writing JSON into a buffer; reading is jansson's.
 *
 * The writer puts commas by itself and never indents: one value is one line. Text is escaped and must be UTF-8. */
#ifndef TAIN_BASE_JSON_H
#define TAIN_BASE_JSON_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/error.h"

typedef struct tain_json {
    tain_buffer *out;   /* borrowed */
    bool         comma; /* a comma is due before the next value */
} tain_json;

void tain_json_object(tain_json *j);     /* { */
void tain_json_object_end(tain_json *j); /* } */
void tain_json_array(tain_json *j);      /* [ */
void tain_json_array_end(tain_json *j);  /* ] */
void tain_json_key(tain_json *j, const char *key);
void tain_json_str(tain_json *j, const char *s); /* NULL gives null */
void tain_json_strn(tain_json *j, const char *s, size_t n);
void tain_json_int(tain_json *j, int64_t v);
void tain_json_bool(tain_json *j, bool v);
void tain_json_null(tain_json *j);
void tain_json_raw(tain_json *j, const char *text, size_t n); /* one value, already JSON */

/* key and value in one call */
void tain_json_kstr(tain_json *j, const char *key, const char *s);
void tain_json_kint(tain_json *j, const char *key, int64_t v);
void tain_json_kbool(tain_json *j, const char *key, bool v);

/* Parses one JSON value of n bytes. what names it in errors. Caller json_decref()s. CORRUPT when it is not JSON. */
tain_status tain_json_parse(const void *data, size_t n, const char *what, json_t **ret, tain_error *err);

/* Members of an object, with defaults when absent or of another type. */
const char *tain_json_get_str(const json_t *o, const char *key, const char *otherwise);
int64_t     tain_json_get_int(const json_t *o, const char *key, int64_t otherwise);
bool        tain_json_get_bool(const json_t *o, const char *key, bool otherwise);

#endif
