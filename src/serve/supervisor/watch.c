/* SPDX-License-Identifier: MIT */
#include "serve/supervisor/watch.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#include "base/json.h"

#define LONG_AWAY (5 * TAIN_SECOND) /* nobody looked for that long: who was to be looked at may have been held as well */

enum { BEGINNING = 10 }; /* a source with many tables is looked at before anything is shown */

void tain_watch_init(tain_watch *w, const char *lake)
{
    *w = (tain_watch){.path = tain_format("%s/_tain/status.json", lake)};
}

void tain_watch_done(tain_watch *w)
{
    tain_free(w->path);
    tain_free(w->from);
    json_decref(w->status);
    *w = (tain_watch){0};
}

/* --- reading ------------------------------------------------------------------------------------------------------- */

/* 0: there is none. */
static uint64_t identity(const char *path)
{
    struct stat st;
    if (!path || stat(path, &st) != 0) return 0;
    const int64_t parts[] = {(int64_t)st.st_ino, st.st_size, st.st_mtim.tv_sec, st.st_mtim.tv_nsec};
    return XXH3_64bits(parts, sizeof parts) | 1;
}

static json_t *read_status(const char *path)
{
    TAIN_AUTO(tain_buffer_done) tain_buffer text = {0};
    json_t *status = NULL;
    ssize_t n = 0;
    int     fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return NULL;
    while ((n = read(fd, tain_buffer_reserve(&text, 65536), 65536)) > 0) text.size += (size_t)n;
    close(fd);
    if (n < 0 || tain_json_parse(text.data, text.size, "status", &status, NULL) != TAIN_OK) return NULL;
    if (json_is_object(status)) return status;
    json_decref(status);
    return NULL;
}

static tain_watch_beat *find_beat(tain_watch *w, const char *name)
{
    for (size_t i = 0; i < TAIN_WATCH_BEATS; i++)
        if (!*w->beats[i].name || strcmp(w->beats[i].name, name) == 0) return &w->beats[i];
    return NULL;
}

static void feel(tain_watch *w, tain_time now)
{
    const char *name;
    json_t     *v;
    json_object_foreach(json_object_get(json_object_get(w->status, "process"), "beats"), name, v)
    {
        tain_watch_beat *b = find_beat(w, name);
        const char      *time = json_is_string(v) ? json_string_value(v) : "";
        if (!b || (*b->name && strcmp(b->time, time) == 0)) continue;
        snprintf(b->name, sizeof b->name, "%s", name);
        snprintf(b->time, sizeof b->time, "%s", time);
        b->since = now;
    }
}

static bool is_by(const tain_watch *w, const json_t *status)
{
    return w->pid && !(w->is_new && w->seen == w->before) && tain_json_get_int(json_object_get(status, "process"), "pid", 0) == w->pid;
}

void tain_watch_begin(tain_watch *w, pid_t pid, bool is_new, tain_time now)
{
    w->pid = pid;
    w->changed = w->looked = now;
    w->before = identity(w->path);
    w->seen = 0;
    w->is_own = false;
    w->is_new = is_new;
    tain_free(w->from);
    w->from = tain_strdup(tain_json_get_str(w->status, "position", NULL));
    memset(w->beats, 0, sizeof w->beats);
}

static void excuse(tain_watch *w, tain_time now)
{
    w->changed = now;
    for (size_t i = 0; i < TAIN_WATCH_BEATS; i++) w->beats[i].since = now;
}

bool tain_watch_look(tain_watch *w, tain_time now)
{
    uint64_t is = identity(w->path);
    if (now - w->looked > LONG_AWAY) excuse(w, now);
    w->looked = now;
    if (is == w->seen) return false;
    json_t *status = read_status(w->path);
    if (!status) return false; /* nor is it seen: it is read again */
    w->seen = is;
    w->changed = now;
    json_decref(w->status);
    w->status = status;
    w->is_own = is_by(w, status);
    if (w->is_own) feel(w, now);
    return true;
}

/* --- judging ------------------------------------------------------------------------------------------------------- */

bool tain_watch_advanced(const tain_watch *w)
{
    const char *position = tain_json_get_str(w->status, "position", NULL);
    return w->is_own && position && (!w->from || strcmp(position, w->from) != 0);
}

const char *tain_watch_stall(const tain_watch *w, tain_time now, tain_time silence, tain_time *ret_since)
{
    *ret_since = w->changed;
    if (!w->is_own) return now - w->changed > BEGINNING * silence ? "start" : NULL;
    if (now - w->changed > silence) return "status";
    for (size_t i = 0; i < TAIN_WATCH_BEATS && *w->beats[i].name; i++) {
        const tain_watch_beat *b = &w->beats[i];
        *ret_since = b->since;
        if (*b->time && now - b->since > 2 * silence) return b->name;
    }
    return NULL;
}

static tain_status code_of(const char *name)
{
    for (int code = TAIN_E_NOT_FOUND; code <= TAIN_E_INTERNAL; code++)
        if (strcmp(tain_status_name((tain_status)code), name) == 0) return (tain_status)code;
    return TAIN_E_INTERNAL;
}

bool tain_watch_end(const tain_watch *w, tain_error *ret, bool *ret_for_us)
{
    const json_t *end = json_object_get(w->status, "end");
    bool          new = w->is_own || w->seen != w->before;
    if (!new || !json_is_object(end)) return false;
    (void)tain_fail(ret, code_of(tain_json_get_str(end, "code", "")), "%s", tain_json_get_str(end, "message", "it ended by an error"));
    tain_error_remedy(ret, "%s", tain_json_get_str(end, "remedy", ""));
    *ret_for_us = strcmp(tain_json_get_str(end, "policy", "retry"), "retry") != 0;
    return true;
}

static json_t *table_at_rest(const json_t *table)
{
    const char *status = tain_json_get_str(table, "status", "");
    json_t     *t = json_copy((json_t *)table);
    bool        busy = strcmp(status, "Replicating") == 0 || strcmp(status, "Snapshotting") == 0 || strcmp(status, "Reseeding") == 0;
    if (busy) json_object_set_new(t, "status", json_string("Stopped"));
    return t;
}

json_t *tain_watch_at_rest(const json_t *status)
{
    json_t       *s = json_copy((json_t *)status), *tables;
    const json_t *t;
    size_t        i;
    if (!s) return NULL;
    json_object_set_new(s, "tables", tables = json_array());
    json_array_foreach(json_object_get(status, "tables"), i, t) json_array_append_new(tables, table_at_rest(t));
    json_object_set_new(s, "status", json_string("Stopped"));
    json_object_set_new(s, "lag_ms", json_null());
    json_object_set_new(s, "source", json_null());
    json_object_del(s, "snapshot");
    json_object_del(s, "waiting");
    return s;
}

/* --- digest -------------------------------------------------------------------------------------------------------- */

static void add_table(tain_digest *d, const json_t *t, const char **io_newest)
{
    const char *status = tain_json_get_str(t, "status", ""), *last = tain_json_get_str(t, "last_completed", "");
    int64_t     latency = tain_json_get_int(t, "latency_ms", -1);
    d->rows += tain_json_get_int(t, "rows_processed", 0);
    d->bytes += tain_json_get_int(t, "bytes_processed", 0);
    d->failed += strcmp(status, "Failed") == 0;
    d->loading |= strcmp(status, "Snapshotting") == 0 || strcmp(status, "Reseeding") == 0;
    if (latency < 0 || strcmp(last, *io_newest) <= 0) return;
    *io_newest = last;
    d->latency = latency * TAIN_MILLISECOND;
}

tain_digest tain_watch_digest(const json_t *status)
{
    tain_digest   d = {.lag = -1, .latency = -1, .retained = -1};
    const json_t *source = json_object_get(status, "source"), *t;
    const char   *newest = "";
    size_t        i;
    int64_t       lag = tain_json_get_int(status, "lag_ms", -1);
    if (lag >= 0) d.lag = lag * TAIN_MILLISECOND;
    json_array_foreach(json_object_get(status, "tables"), i, t) add_table(&d, t, &newest);
    const char *state = tain_json_get_str(status, "status", "");
    d.opening = strcmp(state, "Initializing") == 0;
    d.running = strcmp(state, "Running") == 0;
    d.retained = tain_json_get_int(source, "retained_bytes", -1);
    d.level = tain_json_get_str(source, "level", NULL);
    d.level_reason = tain_json_get_str(source, "reason", NULL);
    d.level_remedy = tain_json_get_str(source, "remedy", NULL);
    return d;
}
