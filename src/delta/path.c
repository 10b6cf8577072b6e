/* SPDX-License-Identifier: MIT */
#include "delta/internal.h"

#include <ctype.h>
#include <stdlib.h>

static int hex(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10 : -1;
}

static char *percent_decoded(const char *s)
{
    char *out = tain_alloc(strlen(s) + 1), *o = out;
    while (*s) {
        bool escape = s[0] == '%' && hex(s[1]) >= 0 && hex(s[2]) >= 0;
        *o++ = escape ? (char)(hex(s[1]) << 4 | hex(s[2])) : *s;
        s += escape ? 3 : 1;
    }
    return out;
}

/* Length of "scheme:" at the start, 0: none. */
static size_t scheme_length(const char *s)
{
    size_t n = 0;
    while (isalnum((unsigned char)s[n]) || (n && strchr("+.-", s[n]) && s[n])) n++;
    return n > 1 && s[n] == ':' ? n + 1 : 0;
}

/* Where the absolute path begins in "/x", "file:/x", "file:///x", "file://localhost/x"; NULL: not local and absolute. */
static const char *absolute_part(const char *path)
{
    if (path[0] == '/') return path;
    if (strncmp(path, "file:", 5) != 0) return NULL;
    path += 5;
    if (path[0] == '/' && path[1] == '/') path = strchr(path + 2, '/');
    return path && path[0] == '/' ? path : NULL;
}

static bool climbs(const char *key)
{
    for (const char *at = strstr(key, ".."); at; at = strstr(at + 1, ".."))
        if ((at == key || at[-1] == '/') && (at[2] == '/' || !at[2])) return true;
    return false;
}

char *tain_delta_local_path(tain_store *folder, const char *path)
{
    const char *absolute = absolute_part(path), *root = tain_store_path(folder);
    if (absolute) return percent_decoded(absolute);
    if (scheme_length(path) || !root) return NULL;
    char *key = percent_decoded(path), *full = climbs(key) ? NULL : tain_format("%s/%s", root, key);
    tain_free(key);
    return full;
}

static char *below(const char *root, char *full)
{
    size_t n = root ? strlen(root) : 0;
    char  *key = n && strncmp(full, root, n) == 0 && full[n] == '/' ? tain_strdup(full + n + 1) : NULL;
    tain_free(full);
    return key;
}

char *tain_delta_key_of(tain_store *folder, const char *path)
{
    const char *absolute = absolute_part(path);
    if (absolute) return below(tain_store_path(folder), percent_decoded(absolute));
    if (scheme_length(path)) return below(folder->url, percent_decoded(path));
    char *key = percent_decoded(path);
    if (!climbs(key)) return key;
    tain_free(key);
    return NULL;
}

/* --- names in the log ------------------------------------------------------------------------------------------- */

/* Reads exactly n digits. */
static bool digits(const char **s, int n, int64_t *ret)
{
    int64_t v = 0;
    for (int i = 0; i < n; i++, (*s)++) {
        if (!isdigit((unsigned char)**s) || __builtin_mul_overflow(v, 10, &v) || __builtin_add_overflow(v, **s - '0', &v))
            return false;
    }
    *ret = v;
    return true;
}

static tain_log_kind checkpoint_kind(const char *s, tain_log_name *name)
{
    if (strcmp(s, "parquet") == 0) return TAIN_LOG_CHECKPOINT;
    const char *p = s;
    if (digits(&p, 10, &name->part) && *p++ == '.' && digits(&p, 10, &name->parts) && strcmp(p, ".parquet") == 0)
        return TAIN_LOG_PART;
    const char *dot = strrchr(s, '.');
    return dot && dot - s == 36 && (strcmp(dot, ".parquet") == 0 || strcmp(dot, ".json") == 0) ? TAIN_LOG_V2 : TAIN_LOG_OTHER;
}

tain_log_name tain_log_name_of(const char *key)
{
    tain_log_name name = {0};
    if (strncmp(key, "_delta_log/", 11) == 0) key += 11;
    if (!digits(&key, 20, &name.version) || *key++ != '.') return (tain_log_name){0};
    int64_t end;
    if (strcmp(key, "json") == 0) name.kind = TAIN_LOG_COMMIT;
    else if (strcmp(key, "crc") == 0) name.kind = TAIN_LOG_CRC;
    else if (strncmp(key, "checkpoint.", 11) == 0) name.kind = checkpoint_kind(key + 11, &name);
    else if (digits(&key, 20, &end) && strcmp(key, ".compacted.json") == 0) name.kind = TAIN_LOG_COMPACTED;
    return name;
}

char *tain_log_key(int64_t version, const char *suffix)
{
    return tain_format("_delta_log/%020lld%s", (long long)version, suffix);
}
