/* SPDX-License-Identifier: MIT */
#include "cli/progress.h"

#include <stdio.h>
#include <unistd.h>

#include "base/text.h"
#include "mirror/status.h"

enum { MOST_BARS = 12, BAR = 24 };
#define PLAIN_EVERY (5 * TAIN_SECOND)

static pthread_mutex_t guard = PTHREAD_MUTEX_INITIALIZER;
static int             lines_drawn;
static tain_time       next_plain;

static void clear(void)
{
    for (; lines_drawn; lines_drawn--) fputs("\033[A\033[2K", stderr);
}

void tain_progress_say(const char *line)
{
    pthread_mutex_lock(&guard);
    clear();
    fprintf(stderr, "%s\n", line);
    pthread_mutex_unlock(&guard);
}

void tain_progress_end(void)
{
    pthread_mutex_lock(&guard);
    lines_drawn = 0;
    pthread_mutex_unlock(&guard);
}

static void line(const char *text)
{
    fprintf(stderr, "%.79s\n", text);
    lines_drawn++;
}

static void draw_bar(const tain_table *t)
{
    char text[200], bar[BAR + 1] = "", count[24];
    int64_t total = t->rows_total > t->rows_live ? t->rows_total : t->rows_live;
    int filled = total > 0 ? (int)(t->rows_live * BAR / total) : 0;
    for (int i = 0; i < BAR; i++) bar[i] = i < filled ? '#' : '.';
    tain_human_count((uint64_t)t->rows_live, count);
    snprintf(text, sizeof text, "  %-30.30s [%s] %s rows", t->name, bar, count);
    line(text);
}

typedef struct totals { int64_t rows; size_t replicating, loading, failed, stopped; } totals;

static totals sum(tain_mirror *m)
{
    totals s = {0};
    for (size_t i = 0; i < m->table_count; i++) {
        const tain_table *t = m->tables[i];
        s.rows += t->rows_live;
        s.replicating += t->status == TAIN_TABLE_REPLICATING;
        s.loading += t->status == TAIN_TABLE_SNAPSHOTTING || t->status == TAIN_TABLE_RESEEDING;
        s.failed += t->status == TAIN_TABLE_FAILED;
        s.stopped += t->status == TAIN_TABLE_STOPPED;
    }
    return s;
}

static void summary(tain_mirror *m, const totals *s, tain_time lag, char out[static 200])
{
    char rows[24], behind[24];
    tain_human_count((uint64_t)s->rows, rows);
    int n = snprintf(out, 200, "%s: %zu table%s, %s row%s, epoch %lld", tain_mirror_state_name(m->state), m->table_count, tain_plural((int64_t)m->table_count), rows, tain_plural(s->rows),
                     (long long)m->epoch);
    if (lag >= 0) { /* unknown before the stream has begun */
        tain_human_duration(lag < TAIN_MILLISECOND ? 0 : lag, behind);
        n += snprintf(out + n, 200 - (size_t)n, ", lag %s", behind);
    }
    if (s->failed) n += snprintf(out + n, 200 - (size_t)n, ", %zu failed", s->failed);
    if (s->stopped) snprintf(out + n, 200 - (size_t)n, ", %zu not mirrored", s->stopped);
}

/* "12 M of 40 M rows, 300 MiB, 1.2 M rows/s, 25s left" */
static void describe(const tain_snapshot_status *s, char out[static 200])
{
    char rows[24], all[24], bytes[24], rate[24], left[24];
    tain_human_count((uint64_t)s->rows, rows);
    tain_human_count((uint64_t)(s->rows_total < 0 ? 0 : s->rows_total), all);
    tain_human_bytes((uint64_t)s->bytes, bytes);
    tain_human_count((uint64_t)s->rate.rows, rate);
    tain_human_duration(s->left < 0 ? 0 : s->left / TAIN_SECOND * TAIN_SECOND, left);
    int n = snprintf(out, 200, "loading: %s%s%s rows, %s, %s rows/s", rows, s->rows_total < 0 ? "" : " of ", s->rows_total < 0 ? "" : all,
                     bytes, rate);
    if (s->left >= 0) snprintf(out + n, 200 - (size_t)n, ", %s left", left);
}

void tain_progress_draw(tain_mirror *m)
{
    char text[200];
    bool terminal = isatty(STDERR_FILENO);
    tain_time lag = tain_status_lag(m);
    pthread_mutex_lock(&m->lock);
    pthread_mutex_lock(&guard);
    totals s = sum(m);
    tain_snapshot_status loading;
    if (tain_status_snapshot(m, &loading)) describe(&loading, text);
    else summary(m, &s, lag, text);
    if (terminal) {
        clear();
        int bars = 0;
        for (size_t i = 0; i < m->table_count && bars < MOST_BARS; i++) {
            const tain_table *t = m->tables[i];
            if (t->status != TAIN_TABLE_SNAPSHOTTING && t->status != TAIN_TABLE_RESEEDING) continue;
            draw_bar(t);
            bars++;
        }
        line(text);
    } else if (tain_monotonic() >= next_plain || m->state == TAIN_MIRROR_STOPPED) {
        fprintf(stderr, "%s\n", text);
        next_plain = tain_monotonic() + PLAIN_EVERY;
    }
    pthread_mutex_unlock(&guard);
    pthread_mutex_unlock(&m->lock);
}
