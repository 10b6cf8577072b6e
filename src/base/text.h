/* SPDX-License-Identifier: MIT */
/* text.h -- names, globs, UTF-8, UUIDs, URLs, sizes and durations as people write them. Thread: any. */
#ifndef TAIN_BASE_TEXT_H
#define TAIN_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/error.h"

/* `*` any run, `?` one character, `\` in front of either takes it as it is; the whole text must match. Case-sensitive. */
bool tain_glob_match(const char *pattern, const char *text);
/* The text as one word of a shell's command line, in single quotes if it needs them. Caller frees. */
char *tain_shell_word(const char *text);

bool   tain_utf8_valid(const void *data, size_t n);
/* Replaces invalid sequences by U+FFFD into out (appended). */
void tain_utf8_repair(const void *data, size_t n, tain_buffer *out);

/* Random (version 4) UUID in lower-case canonical form, 36 characters and NUL. */
void tain_uuid_text(char out[static 37]);
void tain_uuid_bytes(uint8_t out[static 16]);
void tain_uuid_format(const uint8_t uuid[static 16], char out[static 37]);

/* Fills with random bytes from the system. */
void tain_random(void *out, size_t n);

/* A schema or table name as folder name (ARCHITECTURE, Lake): / \ % $ : * ? " < > |, control characters and a leading
 * . or _ are written $ + two hex digits a byte. Caller frees. And back. */
char *tain_folder_from_name(const char *name);
char *tain_name_from_folder(const char *folder);

/* "500ms", "2s", "1m", "1h", "1d" -> microseconds; "256MiB", "64k", "1GB" -> bytes (k, M, G, T and KiB... count 1024,
 * KB, MB... 1000). Fractions are allowed, a bare number is bytes. INVALID names the text. */
tain_status tain_parse_duration(const char *text, int64_t *ret, tain_error *err);
tain_status tain_parse_size(const char *text, int64_t *ret, tain_error *err);
/* "1.5 MiB", "12.3 k", "1 h 02 m": for people, into out. */
void tain_human_bytes(uint64_t bytes, char out[static 24]);
void tain_human_count(uint64_t n, char out[static 24]);
void tain_human_duration(int64_t microseconds, char out[static 24]);
/* The ending of what there are n of: "%zu table%s". */
const char *tain_plural(int64_t n);

/* scheme://user:password@host:port/path?query; all members owned, NULL when absent, percent-decoded but for the query.
 * The path keeps its leading slash; "scheme:path" has no host; a list "a:1,b:2" is all host. INVALID shows no password. */
typedef struct tain_url {
    char *scheme, *user, *password, *host, *port, *path, *query;
} tain_url;
tain_status tain_url_parse(const char *text, tain_url *ret, tain_error *err);
void        tain_url_done(tain_url *u);
/* "localhost", 127.0.0.0/8 or ::1, as they stand in a URL; NULL is not. No name is looked up. */
bool        tain_host_is_loopback(const char *host);
/* Appends the text percent-encoded (RFC 3986): but for letters, digits, "-._~", and what else is in `keep`. */
void        tain_url_append_encoded(tain_buffer *out, const char *text, const char *keep);
/* The URL, or "key=value ..." text, with passwords (in the authority, and after password= and its like) replaced by "***".
 * Caller frees. */
char *tain_url_redacted(const char *text);

/* Whether it is env:NAME or file:PATH. */
bool        tain_secret_is_reference(const char *text);
/* A password given as env:NAME or file:PATH is looked up; anything else is copied. Caller frees. */
tain_status tain_secret_resolve(const char *text, char **ret, tain_error *err);

#endif
