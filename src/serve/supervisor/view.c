/* SPDX-License-Identifier: MIT */
/* What any thread may ask and say; declared in supervisor.h. */
#include <ctype.h>
#include <errno.h>
#include <unistd.h>

#include "base/json.h"
#include "base/log.h"
#include "serve/supervisor/ward.h"
#include "serve/supervisor/wish.h"

const char *tain_mirroring_name(tain_mirroring m)
{
    static const char *const names[] = {"Initialized", "Starting", "Running", "Paused", "Stopping", "Stopped"};
    return names[m];
}

char *tain_supervisor_log_path(const tain_control *c, const char *item)
{
    char *path = tain_format("%s/mirrors/%s/worker.log", tain_control_home(c), item);
    for (char *p = path + strlen(tain_control_home(c)) + 9; *p && *p != '/'; p++) *p = (char)tolower((unsigned char)*p);
    return path;
}

/* Under the lock. */
static tain_ward *find(tain_supervisor *s, const char *item)
{
    char id[40];
    size_t n = 0;
    for (; item[n] && n < sizeof id - 1; n++) id[n] = (char)tolower((unsigned char)item[n]);
    id[n] = 0;
    return tain_map_get(&s->wards, id);
}

static void rouse(tain_supervisor *s)
{
    uint64_t one = 1;
    while (write(s->wake, &one, sizeof one) < 0 && errno == EINTR) continue;
}

/* --- what is wanted ------------------------------------------------------------------------------------------------ */

static void free_item(tain_control_item *i)
{
    if (i) tain_control_item_done(i);
    tain_free(i);
}

static char *connection_of(const tain_control_item *i)
{
    tain_wish w;
    if (tain_wish_read(tain_buffer_slice(&i->definition), &w, NULL) != TAIN_OK) return NULL;
    char *connection = tain_strdup(w.connection);
    tain_wish_done(&w);
    return connection;
}

/* Under the lock; takes the item. */
static void show_item(tain_supervisor *s, tain_control_item *i, char *connection)
{
    tain_ward *w = find(s, i->id);
    if (!w) tain_map_put(&s->wards, i->id, w = tain_ward_new(s, i->id));
    tain_ward_shared *v = &w->shared;
    free_item(v->item);
    tain_free(v->connection);
    tain_free(v->lake);
    v->item = i;
    v->connection = connection;
    v->lake = tain_command_lake(s->control, i);
    v->wanted = i->state;
    v->looked = true;
    v->gone = false;
}

static void show_gone(tain_supervisor *s, const char *item)
{
    tain_ward *w = find(s, item);
    if (!w) return;
    w->shared.gone = w->shared.looked = true;
    w->shared.wanted = TAIN_CONTROL_STOPPED;
}

/* A database that does not answer now changes nothing: what is known goes on. */
static tain_status see(tain_supervisor *s, const char *item, tain_error *err)
{
    tain_control_item *i = tain_alloc(sizeof *i);
    tain_status        st = tain_control_item_get(s->control, item, i, err);
    char              *connection = st == TAIN_OK ? connection_of(i) : NULL;
    pthread_mutex_lock(&s->lock);
    if (st == TAIN_OK) show_item(s, i, connection);
    if (st == TAIN_E_NOT_FOUND) show_gone(s, item);
    pthread_mutex_unlock(&s->lock);
    if (st != TAIN_OK) tain_free(i);
    return st == TAIN_E_NOT_FOUND ? TAIN_OK : st;
}

tain_status tain_supervisor_see(tain_supervisor *s, const char *item, tain_error *err)
{
    pthread_mutex_lock(&s->looking);
    tain_status st = see(s, item, err);
    pthread_mutex_unlock(&s->looking);
    rouse(s);
    return st;
}

void tain_supervisor_look(tain_supervisor *s, const char *item)
{
    tain_error e = {0};
    if (tain_supervisor_see(s, item, &e) != TAIN_OK) tain_log(TAIN_LOG_WARN, "mirror %s is not looked at: %s", item, e.message);
}

void tain_supervisor_look_connection(tain_supervisor *s, const char *connection)
{
    pthread_mutex_lock(&s->lock);
    const char *id;
    tain_ward  *w;
    TAIN_MAP_EACH(&s->wards, at, id, w)
    {
        if (w->shared.connection && strcasecmp(w->shared.connection, connection) == 0) w->shared.looked = true;
    }
    pthread_mutex_unlock(&s->lock);
    rouse(s);
}

/* The same as looking at it, for who only wants to know. */
static tain_ward *find_or_look(tain_supervisor *s, const char *item)
{
    pthread_mutex_lock(&s->lock);
    tain_ward *w = find(s, item);
    if (w) return w;
    pthread_mutex_unlock(&s->lock);
    tain_supervisor_look(s, item);
    pthread_mutex_lock(&s->lock);
    return find(s, item);
}

void tain_supervisor_bar(tain_supervisor *s, const char *item, bool bar)
{
    tain_ward *w = find_or_look(s, item);
    if (w) {
        w->shared.barred = bar;
        w->shared.looked = true;
    }
    pthread_mutex_unlock(&s->lock);
    rouse(s);
}

static tain_status unknown(const char *item, tain_error *err)
{
    return tain_fail(err, TAIN_E_NOT_FOUND, "no mirrored database '%s'", item);
}

/* --- rest ---------------------------------------------------------------------------------------------------------- */

static bool is_at_rest(tain_supervisor *s, const char *item)
{
    const tain_ward *w = find(s, item);
    return !w || w->shared.process == TAIN_PROCESS_NONE || w->shared.process == TAIN_PROCESS_FAILED;
}

bool tain_supervisor_rests(tain_supervisor *s, const char *item, tain_time patience)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += patience / TAIN_SECOND;
    until.tv_nsec += patience % TAIN_SECOND * 1000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_nsec -= 1000000000;
        until.tv_sec++;
    }
    pthread_mutex_lock(&s->lock);
    bool rests, late = false;
    while (!(rests = is_at_rest(s, item)) && !late && !atomic_load(&s->ending)) late = pthread_cond_timedwait(&s->changed, &s->lock, &until) == ETIMEDOUT;
    pthread_mutex_unlock(&s->lock);
    return rests;
}

/* --- loading again ------------------------------------------------------------------------------------------------- */

static bool has_table(const json_t *status, const char *name)
{
    size_t  i;
    json_t *t;
    json_array_foreach(json_object_get(status, "tables"), i, t)
    {
        if (strcmp(tain_json_get_str(t, "name", ""), name) == 0) return true;
    }
    return false;
}

static tain_status check_tables(const json_t *status, const char *const *tables, tain_error *err)
{
    for (; status && tables && *tables; tables++)
        if (!has_table(status, *tables)) return tain_fail(err, TAIN_E_NOT_FOUND, "the mirror has no table %s", *tables);
    return TAIN_OK;
}

static tain_status note_reload(tain_supervisor *s, const char *item, const char *folder, const char *const *tables, tain_error *err)
{
    pthread_mutex_lock(&s->looking);
    tain_status st = tain_memo_add_reload(folder, tables, err);
    pthread_mutex_lock(&s->lock);
    tain_ward *w = find(s, item);
    if (w && st == TAIN_OK) w->shared.reload = true;
    pthread_mutex_unlock(&s->lock);
    pthread_mutex_unlock(&s->looking);
    return st;
}

tain_status tain_supervisor_resync(tain_supervisor *s, const char *item, const char *const *tables, tain_error *err)
{
    const tain_ward *w = find_or_look(s, item);
    tain_status      st = w && !w->shared.gone ? check_tables(w->shared.status, tables, err) : unknown(item, err);
    TAIN_AUTO(tain_free) char *folder = w ? tain_strdup(w->folder) : NULL;
    pthread_mutex_unlock(&s->lock);
    TAIN_TRY(st);
    TAIN_TRY(note_reload(s, item, folder, tables, err));
    rouse(s);
    return TAIN_OK;
}

/* --- reports ------------------------------------------------------------------------------------------------------- */

static tain_mirroring status_of(const tain_supervisor *s, const tain_ward_shared *v)
{
    bool wanted = v->wanted == TAIN_CONTROL_RUNNING && !v->barred && !atomic_load(&s->ending);
    switch (v->process) {
    case TAIN_PROCESS_RUNNING: return wanted ? TAIN_MIRRORING_RUNNING : TAIN_MIRRORING_STOPPING;
    case TAIN_PROCESS_STARTING:
    case TAIN_PROCESS_STOPPING: return wanted ? TAIN_MIRRORING_STARTING : TAIN_MIRRORING_STOPPING;
    default: break;
    }
    if (wanted) return v->process == TAIN_PROCESS_FAILED ? TAIN_MIRRORING_STOPPED : TAIN_MIRRORING_STARTING;
    if (v->wanted == TAIN_CONTROL_PAUSED) return TAIN_MIRRORING_PAUSED;
    return v->ever ? TAIN_MIRRORING_STOPPED : TAIN_MIRRORING_INITIALIZED;
}

/* A worker that runs and waits for something says so itself. */
static void add_trouble(const json_t *status, tain_error *e)
{
    const char *reason = tain_json_get_str(status, "reason", NULL);
    if (e->code != TAIN_OK || !reason) return;
    (void)tain_fail(e, TAIN_E_UNAVAILABLE, "%s", reason);
    tain_error_remedy(e, "%s", tain_json_get_str(status, "remedy", ""));
}

static void fill(const tain_supervisor *s, const tain_ward_shared *v, tain_mirror_report *ret)
{
    *ret = (tain_mirror_report){.status = status_of(s, v), .error = v->error, .pid = v->pid, .started = v->pid ? v->started : 0,
                                .restarts = v->restarts, .worker = json_incref(v->status), .lake = tain_strdup(v->lake),
                                .freshness = v->freshness};
    if (v->wanted != TAIN_CONTROL_RUNNING) ret->error = (tain_error){0}; /* it is nobody's any more */
    if (ret->status == TAIN_MIRRORING_RUNNING) add_trouble(v->status, &ret->error);
}

tain_status tain_supervisor_report(tain_supervisor *s, const char *item, tain_mirror_report *ret, tain_error *err)
{
    const tain_ward *w = find_or_look(s, item);
    tain_status      st = w && !w->shared.gone ? TAIN_OK : unknown(item, err);
    if (st == TAIN_OK) fill(s, &w->shared, ret);
    pthread_mutex_unlock(&s->lock);
    return st;
}

void tain_mirror_report_done(tain_mirror_report *r)
{
    json_decref(r->worker);
    tain_free(r->lake);
    *r = (tain_mirror_report){0};
}

tain_status tain_supervisor_samples(tain_supervisor *s, const char *item, tain_time since, tain_sample **ret, size_t *ret_count, tain_error *err)
{
    const tain_ward *w = find_or_look(s, item);
    tain_status      st = w && !w->shared.gone ? TAIN_OK : unknown(item, err);
    if (st == TAIN_OK) *ret = tain_samples_since(&w->shared.samples, since, ret_count);
    pthread_mutex_unlock(&s->lock);
    return st;
}
