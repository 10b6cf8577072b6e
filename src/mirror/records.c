/* SPDX-License-Identifier: MIT */
#include "mirror/records.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mirror/report.h"

#define EVERY (10 * TAIN_SECOND) /* what goes on is noted so often */

enum { MOST_NOTED = 8 << 20 /* bytes that wait to be written */ };

struct tain_records {
    char       *path;
    char        run[40];
    tain_report *report;     /* woken when there is something to write; NULL: not yet */
    pthread_mutex_t lock;
    tain_buffer noted;       /* lines; guarded by lock, as the two that follow */
    int64_t     n;
    int64_t     lost;        /* records that there was no room for */
    /* the report thread's */
    int         fd;
    tain_buffer writing;
    size_t      written;     /* of it */
    bool        torn;        /* the file ends in the middle of a line */
    bool        failing;
};

typedef struct record {
    const char *operation, *table; /* table: its full name */
    tain_time   start, end;
    int64_t     rows, bytes;
    tain_time   latency;   /* 0: not known */
    const char *error;     /* NULL: none */
    bool        users;     /* it is for the user to mend */
} record;

tain_records *tain_records_new(const char *path, tain_time started)
{
    tain_records *r = tain_alloc(sizeof *r);
    r->path = tain_strdup(path);
    r->fd = -1;
    tain_time_iso(started, 3, r->run);
    pthread_mutex_init(&r->lock, NULL);
    return r;
}

void tain_records_free(tain_records *r)
{
    if (!r) return;
    if (r->fd >= 0) close(r->fd);
    tain_buffer_done(&r->noted);
    tain_buffer_done(&r->writing);
    pthread_mutex_destroy(&r->lock);
    free(r->path);
    free(r);
}

/* --- noting -------------------------------------------------------------------------------------------------------- */

static void put_time(tain_json *j, const char *key, tain_time t)
{
    char iso[40];
    tain_json_key(j, key);
    tain_json_strn(j, iso, tain_time_iso(t, 3, iso));
}

static void put_seconds(tain_json *j, const char *key, tain_time t)
{
    char text[32];
    tain_json_key(j, key);
    if (t <= 0) return tain_json_null(j);
    int n = snprintf(text, sizeof text, "%.3f", (double)t / (double)TAIN_SECOND);
    tain_json_raw(j, text, (size_t)n);
}

static void put_name(tain_json *j, const char *full)
{
    char *schema, *table;
    tain_source_split_name(full, &schema, &table);
    tain_json_kstr(j, "schema", schema);
    tain_json_kstr(j, "table", table);
    free(schema);
    free(table);
}

static void put_record(tain_records *r, const record *what)
{
    tain_json j = {.out = &r->noted};
    tain_json_object(&j);
    tain_json_kint(&j, "n", ++r->n);
    tain_json_kstr(&j, "run", r->run);
    put_time(&j, "time", what->end);
    tain_json_kstr(&j, "operation", what->operation);
    put_name(&j, what->table);
    put_time(&j, "start", what->start);
    put_time(&j, "end", what->end);
    tain_json_kint(&j, "rows", what->rows);
    tain_json_kint(&j, "bytes", what->bytes);
    put_seconds(&j, "latency", what->latency);
    tain_json_kstr(&j, "errorType", !what->error ? NULL : what->users ? "UserError" : "SystemError");
    tain_json_kstr(&j, "error", what->error);
    tain_json_object_end(&j);
    tain_buffer_append_u8(&r->noted, '\n');
}

static void note(tain_records *r, const record *what)
{
    pthread_mutex_lock(&r->lock);
    if (r->noted.size < MOST_NOTED) put_record(r, what);
    else r->lost++;
    pthread_mutex_unlock(&r->lock);
    tain_report_wake(r->report);
}

static void note_now(tain_table *t, const char *operation, const char *error, bool users)
{
    tain_time now = tain_now();
    note(t->recorded.by, &(record){.operation = operation, .table = t->name, .start = now, .end = now, .error = error, .users = users});
}

/* What was read by a load counts before it is committed. */
static int64_t rows_done(const tain_table *t) { return t->rows_processed + t->rows_read; }

static void take_stock(tain_table *t, tain_time now)
{
    t->recorded.rows = rows_done(t);
    t->recorded.bytes = t->bytes_processed;
    t->recorded.at = now;
}

static bool is_load(tain_table_status s) { return s == TAIN_TABLE_SNAPSHOTTING || s == TAIN_TABLE_RESEEDING; }

/* What was done to it while it was that. */
static void note_done(tain_table *t, tain_table_status as, tain_time now)
{
    int64_t rows = rows_done(t) - t->recorded.rows, bytes = t->bytes_processed - t->recorded.bytes;
    if (rows > 0 || bytes > 0) {
        tain_time end = is_load(as) || t->last_completed < t->recorded.at ? now : t->last_completed;
        tain_time begun = end - (t->latency > EVERY ? t->latency : EVERY); /* it was at rest before */
        record what = {.operation = is_load(as) ? "Snapshotting" : "Replicating", .table = t->name, .end = end, .rows = rows > 0 ? rows : 0,
                       .start = t->recorded.at > begun ? t->recorded.at : begun, .bytes = bytes > 0 ? bytes : 0, .latency = is_load(as) ? 0 : t->latency};
        note(t->recorded.by, &what);
        t->recorded.at = now;
    }
    t->recorded.rows = rows_done(t); /* less, where a load was begun again */
    t->recorded.bytes = t->bytes_processed;
}

static bool is_users(tain_status code)
{
    return tain_status_policy(code) == TAIN_POLICY_OPERATOR && code != TAIN_E_CORRUPT;
}

static void note_state(tain_table *t)
{
    switch (t->status) {
    case TAIN_TABLE_INITIALIZED: break;
    case TAIN_TABLE_SNAPSHOTTING: note_now(t, "ReplicatingSchema", NULL, false), note_now(t, "StartSnapshotting", NULL, false); break;
    case TAIN_TABLE_RESEEDING: note_now(t, "StartReseeding", NULL, false); break;
    case TAIN_TABLE_REPLICATING: note_now(t, "StartReplicating", NULL, false); break;
    case TAIN_TABLE_STOPPED: note_now(t, t->gone || t->left_behind ? "RemoveTable" : "StopTable", t->reason[0] ? t->reason : NULL, true); break;
    case TAIN_TABLE_FAILED: note_now(t, "FailTable", t->reason, is_users(t->fault)); break;
    }
}

void tain_records_turned(tain_table *t, tain_table_status from)
{
    if (!t->recorded.by || t->status == from) return;
    note_done(t, from, tain_now());
    note_state(t);
}

void tain_records_reshaped(tain_table *t)
{
    if (t->recorded.by) note_now(t, "ReplicatingSchema", NULL, false);
}

void tain_records_removed(tain_records *r, const char *name)
{
    tain_time now = tain_now();
    if (r) note(r, &(record){.operation = "RemoveTable", .table = name, .start = now, .end = now});
}

/* --- tables -------------------------------------------------------------------------------------------------------- */

static void begin(tain_records *r, tain_table *t)
{
    pthread_mutex_lock(&t->lock);
    bool known = t->known, same = known && t->was == t->status;
    bool rests = t->status == TAIN_TABLE_STOPPED || t->status == TAIN_TABLE_FAILED;
    t->recorded.by = r;
    take_stock(t, tain_now());
    if (!known && !rests) note_now(t, "AddTable", NULL, false);
    if (!rests || !same) note_state(t);
    pthread_mutex_unlock(&t->lock);
}

void tain_records_begin(tain_mirror *m)
{
    if (!m->records) return;
    m->records->report = m->report;
    for (size_t i = 0; i < m->table_count; i++) begin(m->records, m->tables[i]);
}

void tain_records_added(tain_mirror *m, tain_table *t)
{
    if (m->records && atomic_load(&m->opened)) begin(m->records, t);
}

static void note_progress(tain_table *t, tain_time now, bool last)
{
    pthread_mutex_lock(&t->lock);
    bool due = last || now - t->recorded.at >= EVERY || now < t->recorded.at;
    if (t->recorded.by && due) note_done(t, t->status, now);
    pthread_mutex_unlock(&t->lock);
}

void tain_records_note(tain_mirror *m, bool last)
{
    if (!m->records) return;
    tain_time now = tain_now();
    pthread_mutex_lock(&m->lock); /* the list of tables */
    for (size_t i = 0; i < m->table_count; i++) note_progress(m->tables[i], now, last);
    pthread_mutex_unlock(&m->lock);
}

/* --- writing ------------------------------------------------------------------------------------------------------- */

/* Whoever takes the records away renames or removes the file. */
static bool is_same_file(const tain_records *r)
{
    struct stat open_one, named;
    return r->fd >= 0 && fstat(r->fd, &open_one) == 0 && stat(r->path, &named) == 0 && open_one.st_ino == named.st_ino && open_one.st_dev == named.st_dev;
}

static bool open_file(tain_records *r)
{
    if (is_same_file(r)) return true;
    if (r->fd >= 0) close(r->fd);
    r->fd = open(r->path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
    r->torn = false;
    return r->fd >= 0;
}

/* The rest of a line that was cut off is a line of its own, which is none. */
static bool write_line(tain_records *r, const char *line, size_t n)
{
    if (!open_file(r) || (r->torn && write(r->fd, "\n", 1) != 1)) return false;
    ssize_t done = write(r->fd, line, n);
    r->torn = done > 0 && (size_t)done < n;
    if (r->torn) errno = ENOSPC;
    return done == (ssize_t)n;
}

static bool write_lines(tain_records *r)
{
    while (r->written < r->writing.size) {
        const char *line = (const char *)r->writing.data + r->written;
        size_t n = (size_t)((const char *)memchr(line, '\n', r->writing.size - r->written) - line) + 1;
        if (!write_line(r, line, n)) return false;
        r->written += n;
    }
    return true;
}

/* False: nothing is left to write. */
static bool take_noted(tain_records *r)
{
    if (r->written < r->writing.size) return true;
    tain_buffer_clear(&r->writing);
    r->written = 0;
    pthread_mutex_lock(&r->lock);
    tain_buffer taken = r->noted;
    r->noted = r->writing;
    pthread_mutex_unlock(&r->lock);
    r->writing = taken;
    return r->writing.size > 0;
}

static int64_t take_lost(tain_records *r)
{
    pthread_mutex_lock(&r->lock);
    int64_t lost = r->lost;
    r->lost = 0;
    pthread_mutex_unlock(&r->lock);
    return lost;
}

void tain_records_write(tain_mirror *m)
{
    char why[128];
    tain_records *r = m->records;
    while (r && take_noted(r)) {
        if (!write_lines(r)) {
            if (!r->failing) tain_mirror_say(m, "records cannot be written to %s: %s; the mirror goes on", r->path, strerror_r(errno, why, sizeof why));
            r->failing = true;
            return;
        }
        int64_t lost = take_lost(r);
        if (r->failing) tain_mirror_say(m, "records are written again; %lld were lost", (long long)lost);
        r->failing = false;
    }
}
