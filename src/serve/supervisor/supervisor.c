/* SPDX-License-Identifier: MIT */
/* The thread that has all workers, and how it begins and ends. */
#include "serve/supervisor/supervisor.h"

#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/folder.h"
#include "base/log.h"
#include "control/audit.h"
#include "control/execution.h"
#include "serve/supervisor/ward.h"

#define PATIENCE (30 * TAIN_SECOND)
#define SILENCE  (30 * TAIN_SECOND)
#define LAG      (300 * TAIN_SECOND)
#define REFILL   TAIN_SECOND
#define A_DAY    (86400 * TAIN_SECOND)
#define RECORDS  (30 * A_DAY) /* as Fabric keeps them */
#define AUDIT    (90 * A_DAY)
#define PRUNE    (600 * TAIN_SECOND)
#define LONGEST  (10 * TAIN_SECOND) /* series and pruning go on though nothing happens */

enum { STARTS_A_SECOND = 8, PRUNED_AT_ONCE = 2000 };

/* --- the thread ---------------------------------------------------------------------------------------------------- */

typedef struct wards {
    tain_ward **list;
    size_t      count;
} wards;

static wards all(tain_supervisor *s)
{
    wards       a = {0};
    const char *id;
    tain_ward  *w;
    pthread_mutex_lock(&s->lock);
    a.list = tain_alloc((s->wards.count + 1) * sizeof *a.list);
    TAIN_MAP_EACH(&s->wards, at, id, w) a.list[a.count++] = w;
    pthread_mutex_unlock(&s->lock);
    return a;
}

/* An item may have come back meanwhile. */
static bool drop(tain_supervisor *s, tain_ward *w)
{
    if (!tain_ward_is_over(w)) return false;
    pthread_mutex_lock(&s->lock);
    bool gone = w->shared.gone;
    if (gone) tain_map_remove(&s->wards, w->id);
    pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->lock);
    if (!gone) return false;
    tain_memo_remove(w->folder);
    tain_ward_free(w);
    return true;
}

static void turn_all(tain_supervisor *s, wards *a, tain_time now)
{
    size_t left = 0;
    for (size_t i = 0; i < a->count; i++) {
        tain_ward_turn(a->list[i], now);
        if (!drop(s, a->list[i])) a->list[left++] = a->list[i];
    }
    a->count = left;
}

static bool any_lives(const wards *a)
{
    for (size_t i = 0; i < a->count; i++)
        if (a->list[i]->child.pid) return true;
    return false;
}

static int milliseconds_until(tain_time due, tain_time now)
{
    tain_time left = due - now;
    if (left <= 0) return 0;
    return (int)((left < LONGEST ? left : LONGEST) / TAIN_MILLISECOND + 1);
}

static void drain(tain_supervisor *s)
{
    uint64_t count;
    (void)!read(s->wake, &count, sizeof count);
}

/* Until a process ends, somebody says something, or it is time. */
static void wait_for_something(tain_supervisor *s, const wards *a)
{
    struct pollfd *fds = tain_alloc((a->count + 1) * sizeof *fds);
    tain_time      due = INT64_MAX, now = tain_monotonic();
    nfds_t         n = 0;
    fds[n++] = (struct pollfd){.fd = s->wake, .events = POLLIN};
    for (size_t i = 0; i < a->count; i++) {
        tain_time one = tain_ward_due(a->list[i]);
        if (one < due) due = one;
        if (a->list[i]->child.pid) fds[n++] = (struct pollfd){.fd = a->list[i]->child.fd, .events = POLLIN};
    }
    (void)!poll(fds, n, due == INT64_MAX ? (int)(LONGEST / TAIN_MILLISECOND) : milliseconds_until(due, now));
    if (fds[0].revents) drain(s);
    tain_free(fds);
}

/* Some at a time: others want the database, too. */
static void prune(tain_supervisor *s, tain_time now)
{
    int records = 0, entries = 0;
    if (now < s->next_prune) return;
    tain_error  e = {0};
    tain_status st = tain_control_execution_prune(s->control, tain_now() - s->keep_records, PRUNED_AT_ONCE, &records, &e);
    if (st == TAIN_OK) st = tain_control_audit_prune(s->control, tain_now() - s->keep_audit, PRUNED_AT_ONCE, &entries, &e);
    if (st != TAIN_OK) tain_log(TAIN_LOG_WARN, "old records of executions and entries of the audit log stay for now: %s", e.message);
    bool more = records == PRUNED_AT_ONCE || entries == PRUNED_AT_ONCE;
    s->next_prune = now + (more ? TAIN_SECOND : PRUNE);
}

static void refill(tain_supervisor *s, tain_time now)
{
    if (now < s->refill) return;
    s->starts = STARTS_A_SECOND;
    s->refill = now + REFILL;
}

static void *run(void *ctx)
{
    tain_supervisor *s = ctx;
    bool             going = true;
    while (going) {
        tain_time now = tain_monotonic();
        refill(s, now);
        wards a = all(s);
        turn_all(s, &a, now);
        prune(s, now);
        going = !atomic_load(&s->leaving) && (!atomic_load(&s->ending) || any_lives(&a));
        if (going) wait_for_something(s, &a);
        tain_free(a.list);
    }
    return NULL;
}

/* --- beginning ----------------------------------------------------------------------------------------------------- */

static tain_status look_at_all(tain_supervisor *s, tain_error *err)
{
    tain_control_items all;
    tain_status        st = TAIN_OK;
    TAIN_TRY(tain_control_item_list(s->control, NULL, (tain_control_page){.most = TAIN_CONTROL_ALL}, &all, err));
    for (size_t i = 0; i < all.count && st == TAIN_OK; i++) st = tain_supervisor_see(s, all.rows[i].id, err);
    tain_control_items_done(&all);
    return st;
}

/* What was removed while nobody looked: its worker is to end, and its folder to go. */
static void look_at_folders(tain_supervisor *s)
{
    DIR           *dir = opendir(s->folder);
    struct dirent *e;
    while (dir && (e = readdir(dir))) {
        if (strlen(e->d_name) != 36 || tain_map_get(&s->wards, e->d_name)) continue;
        tain_ward *w = tain_ward_new(s, e->d_name);
        w->shared.gone = true;
        tain_map_put(&s->wards, e->d_name, w);
    }
    if (dir) closedir(dir);
}

static void recall_all(tain_supervisor *s)
{
    wards a = all(s);
    for (size_t i = 0; i < a.count; i++) tain_ward_recall(a.list[i]);
    tain_free(a.list);
}

static void init_locks(tain_supervisor *s)
{
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&s->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    pthread_mutex_init(&s->lock, NULL);
    pthread_mutex_init(&s->looking, NULL);
}

static void supervisor_free(tain_supervisor *s)
{
    wards a = all(s);
    for (size_t i = 0; i < a.count; i++) tain_ward_free(a.list[i]);
    tain_free(a.list);
    tain_map_done(&s->wards);
    if (s->wake >= 0) close(s->wake);
    pthread_mutex_destroy(&s->lock);
    pthread_mutex_destroy(&s->looking);
    pthread_cond_destroy(&s->changed);
    tain_free(s->program);
    tain_free(s->folder);
    tain_free(s);
}

static tain_status begin(tain_supervisor *s, tain_error *err)
{
    if (s->wake < 0) return tain_fail_errno(err, "eventfd");
    if (!tain_make_folder(s->folder, true)) return tain_fail_errno(err, "cannot make the folder %s", s->folder);
    TAIN_TRY(look_at_all(s, err));
    look_at_folders(s);
    recall_all(s);
    errno = pthread_create(&s->thread, NULL, run, s);
    return errno ? tain_fail_errno(err, "cannot start a thread") : TAIN_OK;
}

tain_status tain_supervisor_start(tain_control *c, const tain_supervisor_options *o, tain_supervisor **ret, tain_error *err)
{
    tain_supervisor *s = tain_alloc(sizeof *s);
    s->control = c;
    s->program = tain_strdup(o->program ? o->program : "/proc/self/exe");
    s->patience = o->patience ? o->patience : PATIENCE;
    s->silence = o->silence ? o->silence : SILENCE;
    s->lag = o->lag ? o->lag : LAG;
    s->keep_records = o->keep_records ? o->keep_records : RECORDS;
    s->keep_audit = o->keep_audit ? o->keep_audit : AUDIT;
    s->alarm = o->alarm;
    s->alarm_ctx = o->alarm_ctx;
    s->folder = tain_format("%s/mirrors", tain_control_home(c));
    s->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    tain_child_boot(s->boot);
    tain_child_program(s->program, s->program_is);
    init_locks(s);
    tain_status st = begin(s, err);
    if (st == TAIN_OK) *ret = s;
    else supervisor_free(s);
    return st;
}

static void tell(tain_supervisor *s, atomic_bool *what)
{
    uint64_t one = 1;
    pthread_mutex_lock(&s->lock);
    atomic_store(what, true);
    pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->lock);
    (void)!write(s->wake, &one, sizeof one);
}

void tain_supervisor_wind_down(tain_supervisor *s)
{
    if (s) tell(s, &s->ending);
}

void tain_supervisor_stop(tain_supervisor *s, bool leave)
{
    if (!s) return;
    tell(s, leave ? &s->leaving : &s->ending);
    pthread_join(s->thread, NULL);
    supervisor_free(s);
}
