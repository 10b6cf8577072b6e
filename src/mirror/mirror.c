/* SPDX-License-Identifier: MIT */
#include "mirror/mirror.h"

#include "mirror/records.h"

const char *tain_mirror_state_name(tain_mirror_state s)
{
    static const char *const names[] = {"Initializing", "Initialized", "Starting", "Running", "Paused", "Stopping", "Stopped"};
    return names[s];
}

void tain_mirror_say(tain_mirror *m, const char *format, ...)
{
    if (!m->say) return;
    char line[2500];
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    m->say(line);
}

void tain_mirror_load_again(tain_mirror *m, tain_table *t, const char *why)
{
    char *reason = tain_strdup(why);
    free(t->load_reason);
    t->load_reason = reason;
    t->needs_load = true;
    tain_table_set_status(t, TAIN_TABLE_RESEEDING, reason, NULL);
    tain_mirror_say(m, "%s: %s; it is loaded again", t->name, reason);
}

void tain_mirror_rest(tain_table *t)
{
    t->needs_load = t->behind = false;
    tain_table_set_status(t, TAIN_TABLE_STOPPED, "paused", "leave it out of --pause: it is loaded again then");
}

tain_table *tain_mirror_find(tain_mirror *m, const char *name)
{
    tain_table *found = NULL;
    for (size_t i = 0; i < m->table_count; i++) {
        tain_table *t = m->tables[i];
        if (t->replaced || strcmp(t->name, name) != 0) continue;
        if (!t->aside) return t;
        found = t;
    }
    return found;
}

/* What was switched off in another run is off in the tables themselves. */
static tain_feed_wish feed_wish(const tain_definition *d)
{
    if (d && d->cdf.on) return TAIN_FEED_ON;
    return d && d->cdf.given ? TAIN_FEED_OFF : TAIN_FEED_UNSAID;
}

tain_table *tain_mirror_add(tain_mirror *m, tain_source_table *source)
{
    tain_table *t = tain_table_new(tain_lake_store(m->lake), tain_lake_cache_dir(m->lake), m->app_id, source);
    const tain_definition *d = m->definition;
    source->user = t;
    t->policies = d ? d->policies : NULL;
    t->retention = d ? tain_definition_retention(d) : 0;
    t->feed = feed_wish(d);
    t->pool = m->pool;
    t->beat = &m->writer_beat;
    t->compat = d && d->compat.on;
    t->paused = d && tain_definition_pauses(d, t->name);
    t->budget = d ? (size_t)d->memory / 8 / (size_t)(d->jobs > 0 ? d->jobs : 1) : 0;
    pthread_mutex_lock(&m->lock);
    if (m->table_count == m->table_capacity) {
        m->table_capacity = m->table_capacity ? m->table_capacity * 2 : 32;
        m->tables = tain_realloc(m->tables, m->table_capacity * sizeof(tain_table *));
    }
    m->tables[m->table_count++] = t;
    pthread_mutex_unlock(&m->lock);
    tain_records_added(m, t);
    return t;
}

/* The message without the table's name, which stands before it wherever it is shown. */
static const char *without_name(const tain_table *t, const char *message)
{
    size_t n = strlen(t->name);
    if (strncmp(message, "table ", 6) != 0 || strncmp(message + 6, t->name, n) != 0) return message;
    return strncmp(message + 6 + n, ": ", 2) == 0 ? message + 6 + n + 2 : message;
}

void tain_mirror_fail_table(tain_mirror *m, tain_table *t, const tain_error *why)
{
    char remedy[1200];
    const char *reason = without_name(t, why->message), *own = why->remedy;
    TAIN_AUTO(tain_free) char *resync = tain_source_option("--resync", t->name);
    if (!*own) snprintf(remedy, sizeof remedy, "reload it with %s", resync);
    else if (strstr(own, "--resync")) snprintf(remedy, sizeof remedy, "%s", own);
    else snprintf(remedy, sizeof remedy, "%s; then reload it with %s", own, resync);
    tain_table_set_failed(t, why->code, reason, remedy);
    tain_pending_clear(t);
    tain_mirror_say(m, "%s failed: %s (%s)", t->name, reason, remedy);
}

void tain_replays_begin(tain_mirror *m, const tain_position *at)
{
    if (tain_position_compare(at, &m->whole) > 0) m->whole = *at;
    m->replays = TAIN_REPLAYS_BEGUN;
    pthread_mutex_lock(&m->lock);
    m->replays_since = m->epoch;
    pthread_mutex_unlock(&m->lock);
}

tain_position tain_mirror_recorded(tain_mirror *m)
{
    pthread_mutex_lock(&m->lock);
    tain_position p = m->position;
    pthread_mutex_unlock(&m->lock);
    return p;
}

void tain_mirror_hold(tain_mirror *m, const tain_position *at)
{
    if (!m->held.text[0] || tain_position_compare(at, &m->held) < 0) m->held = *at;
}

bool tain_mirror_holds(tain_mirror *m, const tain_position *at)
{
    tain_position recorded = tain_mirror_recorded(m);
    return tain_position_compare(at, &recorded) >= 0 || (m->held.text[0] && tain_position_compare(at, &m->held) >= 0);
}

void tain_mirror_pause(tain_mirror *m, tain_time how_long)
{
    tain_time until = tain_monotonic() + how_long;
    struct timespec step = {.tv_nsec = 20 * 1000 * 1000};
    while (tain_monotonic() < until && !atomic_load(&m->stop)) nanosleep(&step, NULL);
}
