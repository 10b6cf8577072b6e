/* SPDX-License-Identifier: MIT */
#include "serve/supervisor/ward.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
#include <xxhash.h>

#include "base/folder.h"
#include "base/json.h"
#include "base/log.h"
#include "base/text.h"
#include "lake/lake.h"
#include "serve/supervisor/wish.h"

#define LOOK_SOON  (100 * TAIN_MILLISECOND) /* until a process that was started shows itself */
#define LOOK_EVERY TAIN_SECOND
#define WEIGH      (5 * TAIN_SECOND)
#define RECORDS    (2 * TAIN_SECOND)
#define STEADY     (60 * TAIN_SECOND) /* then what it failed of is over */

enum { LOG_MOST = 8 << 20, TAIL = 4096 };

/* --- what others see ----------------------------------------------------------------------------------------------- */

static void set_error(tain_ward *w, const tain_error *e)
{
    pthread_mutex_lock(&w->s->lock);
    w->shared.error = e ? *e : (tain_error){0};
    pthread_mutex_unlock(&w->s->lock);
}

/* Nothing runs, nor will by itself. */
static bool is_at_rest(const tain_ward *w)
{
    return w->machine.process == TAIN_PROCESS_NONE || w->machine.process == TAIN_PROCESS_FAILED;
}

static void show_status(tain_ward *w)
{
    json_t *status = is_at_rest(w) ? tain_watch_at_rest(w->watch.status) : json_incref(w->watch.status);
    pthread_mutex_lock(&w->s->lock);
    json_t *before = w->shared.status;
    w->shared.status = status;
    if (w->watch.is_own) tain_freshness_add(&w->shared.freshness, before, status);
    pthread_mutex_unlock(&w->s->lock);
    json_decref(before);
}

/* Under the lock. */
static void show_rest(tain_ward *w)
{
    json_t *status = tain_watch_at_rest(w->shared.status);
    json_decref(w->shared.status);
    w->shared.status = status;
}

/* What is wanted is read, and what it leads to is shown, in one: who waits for it to rest is not told so before a start. */
static tain_deed step(tain_ward *w, tain_happening what, tain_time now)
{
    pthread_mutex_lock(&w->s->lock);
    bool      wanted = w->shared.wanted == TAIN_CONTROL_RUNNING && !w->shared.gone && !w->shared.barred && !atomic_load(&w->s->ending);
    bool      rested = is_at_rest(w);
    tain_deed deed = tain_machine_step(&w->machine, wanted, what, now, w->s->patience);
    if (!rested && is_at_rest(w)) show_rest(w);
    w->shared.process = w->machine.process;
    w->shared.restarts = w->machine.restarts;
    if (!tain_machine_lives(&w->machine)) w->shared.pid = 0;
    if (!wanted && w->machine.process == TAIN_PROCESS_NONE) w->shared.error = (tain_error){0};
    pthread_cond_broadcast(&w->s->changed);
    pthread_mutex_unlock(&w->s->lock);
    return deed;
}

static void show_process(tain_ward *w)
{
    pthread_mutex_lock(&w->s->lock);
    w->shared.pid = w->child.pid;
    w->shared.started = w->memo.started;
    w->shared.ever = true;
    pthread_mutex_unlock(&w->s->lock);
}

/* --- starting ------------------------------------------------------------------------------------------------------ */

static void happen(tain_ward *w, tain_happening what, tain_time now);

static void keep_memo(tain_ward *w)
{
    tain_error e = {0};
    if (tain_memo_write(w->folder, &w->memo, &e) != TAIN_OK) tain_log(TAIN_LOG_WARN, "mirror %s: %s", w->id, e.message);
}

static void add_reload(tain_ward *w, tain_command_line *l)
{
    json_t *what = tain_memo_reload(w->folder), *v;
    w->memo.reload = tain_memo_reload_print(what);
    if (!what) return;
    const char **names = tain_alloc((json_array_size(what) + 1) * sizeof *names);
    size_t       i, n = 0;
    json_array_foreach(what, i, v)
    {
        if (json_is_string(v)) names[n++] = json_string_value(v);
    }
    tain_command_line_add(l, tain_wish_reload(json_is_true(what) ? NULL : names));
    tain_free(names);
    json_decref(what);
}

static tain_status spawn(tain_ward *w, tain_command_line *l, tain_error *err)
{
    tain_command_line_add(l, tain_format("--records=%s", w->records.path));
    add_reload(w, l);
    tain_child_rotate(w->log, LOG_MOST);
    return tain_child_start(w->s->program, (const char *const *)l->argv, (const char *const *)l->environment, w->log, &w->child, err);
}

/* A worker that was started and not noted any more, since the supervisor was killed in between. */
static bool find_lost(tain_ward *w)
{
    TAIN_AUTO(tain_free) char *word = tain_format("--records=%s", w->records.path);
    pid_t pid = (pid_t)tain_json_get_int(json_object_get(w->watch.status, "process"), "pid", 0);
    return tain_child_find(pid, word, &w->child);
}

/* The same as long as the command is, and the place of its files: a home may be moved. */
static uint64_t print_of(const tain_ward *w, const tain_command_line *l)
{
    return XXH3_64bits_withSeed(w->folder, strlen(w->folder), l->print);
}

static tain_status begin_with(tain_ward *w, tain_command_line *l, tain_error *err)
{
    if (!tain_make_folder(w->folder, true)) return tain_fail_errno(err, "cannot make the folder %s", w->folder);
    (void)tain_watch_look(&w->watch, tain_monotonic());
    bool lost = find_lost(w);
    tain_watch_begin(&w->watch, 0, !lost, tain_monotonic());
    if (!lost) TAIN_TRY(spawn(w, l, err));
    w->watch.pid = w->child.pid;
    w->memory = l->memory;
    w->memo = (tain_memo){.pid = w->child.pid, .start = w->child.start, .print = print_of(w, l), .started = tain_now(), .reload = w->memo.reload};
    snprintf(w->memo.boot, sizeof w->memo.boot, "%s", w->s->boot);
    snprintf(w->memo.program, sizeof w->memo.program, "%s", w->s->program_is);
    keep_memo(w);
    return TAIN_OK;
}

static tain_status begin(tain_ward *w, tain_error *err)
{
    tain_command_line l;
    TAIN_TRY(tain_command_line_of(w->s->control, w->item, &l, err));
    tain_status st = begin_with(w, &l, err);
    tain_command_line_done(&l);
    return st;
}

static bool is_for_us(tain_status code)
{
    return tain_status_policy(code) != TAIN_POLICY_RETRY;
}

static void start(tain_ward *w, tain_time now)
{
    tain_error e = {0};
    w->held = false;
    if (begin(w, &e) == TAIN_OK) {
        w->unfit = (tain_error){0};
        w->next_look = now + LOOK_SOON;
        return show_process(w);
    }
    set_error(w, &e);
    w->unfit = (tain_error){0};
    tain_ward_alarm(w, TAIN_ALARM_FAILED, 0, e.message, tain_error_advice(&e));
    happen(w, is_for_us(e.code) ? TAIN_HAPPENED_ENDED_FOR_US : TAIN_HAPPENED_ENDED, now);
}

static void happen(tain_ward *w, tain_happening what, tain_time now)
{
    switch (step(w, what, now)) {
    case TAIN_DO_START: start(w, now); break;
    case TAIN_DO_TERM: tain_child_signal(&w->child, SIGTERM); break;
    case TAIN_DO_KILL: tain_child_signal(&w->child, SIGKILL); break;
    default: break;
    }
}

/* --- taking up ----------------------------------------------------------------------------------------------------- */

/* A command that cannot be made is told, and what runs goes on. */
static void compare_command(tain_ward *w)
{
    tain_command_line l;
    if (!w->child.pid || !w->item) return;
    w->unfit = (tain_error){0};
    if (tain_command_line_of(w->s->control, w->item, &l, &w->unfit) != TAIN_OK) {
        tain_error_context(&w->unfit, "the mirror goes on by the definition before this one");
        return set_error(w, &w->unfit);
    }
    w->outdated = print_of(w, &l) != w->memo.print || strcmp(w->memo.program, w->s->program_is) != 0;
    w->memory = l.memory;
    tain_command_line_done(&l);
}

/* Something more was asked for, and whoever was to tell it was killed. */
static void compare_reload(tain_ward *w)
{
    json_t *what = tain_memo_reload(w->folder);
    if (what && tain_memo_reload_print(what) != w->memo.reload) w->outdated = true;
    json_decref(what);
}

static void listen(tain_ward *w, tain_time now);
static void read_status(tain_ward *w, tain_time now);

static bool is_wanted(tain_ward *w)
{
    pthread_mutex_lock(&w->s->lock);
    bool wanted = w->shared.wanted == TAIN_CONTROL_RUNNING && !w->shared.gone && !w->shared.barred;
    pthread_mutex_unlock(&w->s->lock);
    return wanted;
}

/* One that was never noted is found when it is to be started (begin_with); here, when it is not, or it would run on. */
static bool find_process(tain_ward *w, bool noted)
{
    if (noted && strcmp(w->memo.boot, w->s->boot) == 0 && tain_child_adopt(w->memo.pid, w->memo.start, &w->child)) return true;
    if (is_wanted(w)) return false;
    (void)tain_watch_look(&w->watch, tain_monotonic());
    return find_lost(w);
}

void tain_ward_recall(tain_ward *w)
{
    tain_time now = tain_monotonic();
    listen(w, now);
    bool      known = tain_memo_read(w->folder, &w->memo);
    w->shared.ever = known;
    tain_watch_begin(&w->watch, 0, false, now);
    if (find_process(w, known)) {
        tain_watch_begin(&w->watch, w->child.pid, false, now);
        show_process(w);
        happen(w, TAIN_HAPPENED_FOUND, now);
        compare_command(w);
        compare_reload(w);
    }
    read_status(w, now);
}

/* --- ending -------------------------------------------------------------------------------------------------------- */

/* Where in a line what happened begins: behind "tain: ", or behind "tain mirror: " if a word of the command line was wrong. */
static char *behind_name(char *line)
{
    static const char *const names[] = {"tain: ", "tain mirror: "};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strncmp(line, names[i], strlen(names[i])) == 0) return line + strlen(names[i]);
    return NULL;
}

/* The last thing it said on its terminal: "tain: what happened", and perhaps "  remedy: what to do". */
static bool last_words(const tain_ward *w, tain_error *ret)
{
    char  text[TAIL + 1];
    int   fd = open(w->log, O_RDONLY | O_CLOEXEC);
    off_t size = fd < 0 ? 0 : lseek(fd, 0, SEEK_END);
    if (fd < 0) return false;
    ssize_t n = pread(fd, text, TAIL, size > TAIL ? size - TAIL : 0);
    close(fd);
    text[n > 0 ? n : 0] = 0;
    char *said = NULL, *remedy;
    for (char *line = text; line; line = strchr(line, '\n'), line = line ? line + 1 : NULL)
        if (behind_name(line)) said = behind_name(line);
    if (!said) return false;
    remedy = strstr(said, "\n  remedy: ");
    (void)tain_fail(ret, TAIN_E_INTERNAL, "%.*s", (int)strcspn(said, "\n"), said);
    if (remedy) tain_error_remedy(ret, "%.*s", (int)strcspn(remedy + 11, "\n"), remedy + 11);
    return true;
}

/* Whether there is something to tell. The code is that of what is tried again, unless it says otherwise. */
static bool why_ended(const tain_ward *w, int status, tain_error *ret, bool *ret_for_us)
{
    *ret_for_us = false;
    if (WIFSIGNALED(status) && status != -1) {
        int sig = WTERMSIG(status);
        (void)tain_fail(ret, TAIN_E_UNAVAILABLE, "the worker was ended by signal %d (%s)", sig, strsignal(sig));
        tain_error_remedy(ret, "it is started again; if that goes on, its log tells more: %s", w->log);
        return true;
    }
    if (status == 0) return false;
    if (tain_watch_end(&w->watch, ret, ret_for_us)) return true;
    *ret_for_us = status != -1 && WEXITSTATUS(status) == 2;
    if (status != -1 && last_words(w, ret)) {
        ret->code = *ret_for_us ? TAIN_E_CONFIG : TAIN_E_UNAVAILABLE;
        return true;
    }
    (void)tain_fail(ret, TAIN_E_UNAVAILABLE, "the worker ended");
    tain_error_remedy(ret, "it is started again; its log tells more: %s", w->log);
    return true;
}

static void take_records(tain_ward *w, bool gone)
{
    tain_error e = {0};
    if (!w->item || tain_records_take(&w->records, w->s->control, w->item, w->source_type, gone, &e) == TAIN_OK) return;
    tain_log(TAIN_LOG_WARN, "mirror %s: its records are taken later: %s", w->id, e.message);
}

/* A wish to load again that cannot be granted must not keep the mirror from running. */
static void forgo_reload(tain_ward *w, const tain_error *why, bool *io_for_us)
{
    if (!*io_for_us || !w->memo.reload || !strstr(why->message, "--resync")) return;
    tain_memo_forget_reload(w->folder);
    *io_for_us = false;
}

static void bury(tain_ward *w)
{
    tain_child_done(&w->child);
    w->memo.pid = 0;
    keep_memo(w);
    w->watch.pid = 0;
}

static void end(tain_ward *w, int status, tain_time now)
{
    tain_error why = {0};
    bool       for_us, expected = w->machine.process == TAIN_PROCESS_STOPPING;
    if (tain_watch_look(&w->watch, now)) show_status(w);
    take_records(w, true);
    bool told = why_ended(w, status, &why, &for_us);
    if (expected) for_us = false;
    else set_error(w, told ? &why : NULL);
    if (!expected && told) tain_ward_alarm(w, TAIN_ALARM_FAILED, 0, why.message, tain_error_advice(&why));
    forgo_reload(w, &why, &for_us);
    bury(w);
    happen(w, for_us ? TAIN_HAPPENED_ENDED_FOR_US : TAIN_HAPPENED_ENDED, now);
}

/* --- watching ------------------------------------------------------------------------------------------------------ */

static void hang_up(tain_ward *w, tain_supervisor_alarm_kind kind, const tain_error *e, tain_time now)
{
    set_error(w, e);
    tain_ward_alarm(w, kind, 0, e->message, tain_error_advice(e));
    happen(w, TAIN_HAPPENED_HUNG, now);
}

/* A lake that nobody can write to is not the worker's fault: it stays, and says so when it can. */
static bool lake_is_shut(const tain_ward *w, tain_error *ret)
{
    TAIN_AUTO(tain_lake_close) tain_lake *lake = NULL;
    if (tain_lake_open(w->lake, false, &lake, NULL) != TAIN_OK) return false;
    const char *why = tain_lake_obstacle(lake);
    if (!why && !tain_lake_may_write(lake)) why = "this user may not";
    if (!why) return false;
    (void)tain_fail(ret, TAIN_E_FULL, "nothing can be written to the lake: %s", why);
    tain_error_remedy(ret, "make room, or make it writable; the mirror goes on by itself");
    return true;
}

static void check_pulse(tain_ward *w, tain_time now)
{
    tain_time   since;
    char        age[24];
    tain_error  e = {0};
    const char *what = tain_watch_stall(&w->watch, now, w->s->silence, &since);
    bool        stopped = !w->watch.is_own && now - w->watch.changed > w->s->silence && tain_child_is_stopped(&w->child);
    w->shut = false;
    if (!what && !stopped) return;
    w->shut = lake_is_shut(w, &e);
    if (w->shut) {
        set_error(w, &e);
        return tain_ward_alarm(w, TAIN_ALARM_STALLED, 0, e.message, tain_error_advice(&e));
    }
    tain_human_duration(now - (what ? since : w->watch.changed), age);
    (void)tain_fail(&e, TAIN_E_UNAVAILABLE, "the worker stood still for %s (%s), and is replaced", age, what ? what : "stopped");
    tain_error_remedy(&e, "nothing is lost; if it goes on, its log tells more: %s", w->log);
    hang_up(w, TAIN_ALARM_STALLED, &e, now);
}

static void weigh(tain_ward *w, tain_time now)
{
    char       has[24], may[24];
    tain_error e = {0};
    if (now < w->next_weighing) return;
    w->next_weighing = now + WEIGH;
    int64_t weight = tain_child_memory(&w->child);
    if (!w->memory || weight <= w->memory) return;
    tain_human_bytes((uint64_t)weight, has);
    tain_human_bytes((uint64_t)w->memory, may);
    (void)tain_fail(&e, TAIN_E_FULL, "MemoryLimit: the worker took %s of memory, and may have %s; it is replaced", has, may);
    tain_error_remedy(&e, "nothing is lost; raise tain.memoryLimit in the definition, or lower tain.memory and tain.jobs");
    hang_up(w, TAIN_ALARM_MEMORY, &e, now);
}

static void sample(tain_ward *w, const tain_digest *d, tain_time now)
{
    if (now < w->next_sample) return;
    w->next_sample = now + TAIN_SAMPLE_EVERY;
    bool        own = w->watch.is_own;
    tain_sample one = {.at = tain_now(), .lag = own ? d->lag : -1, .latency = own ? d->latency : -1, .rows = own ? d->rows : -1,
                       .bytes = own ? d->bytes : -1, .retained = own ? d->retained : -1};
    pthread_mutex_lock(&w->s->lock);
    tain_samples_add(&w->shared.samples, one);
    pthread_mutex_unlock(&w->s->lock);
}

/* The lake knows by then what it loads, or has loaded it. */
static void settle_reload(tain_ward *w, const tain_digest *d)
{
    if (!w->memo.reload || !d->running || d->loading || w->machine.process != TAIN_PROCESS_RUNNING) return;
    pthread_mutex_lock(&w->s->looking);
    pthread_mutex_lock(&w->s->lock);
    bool more = w->shared.reload;
    pthread_mutex_unlock(&w->s->lock);
    if (!more) tain_memo_forget_reload(w->folder);
    pthread_mutex_unlock(&w->s->looking);
    if (more) return;
    w->memo.reload = 0;
    keep_memo(w);
}

static void calm_down(tain_ward *w, tain_time now)
{
    if (w->shut || w->machine.process != TAIN_PROCESS_RUNNING || now - w->machine.born < STEADY) return;
    tain_ward_calm(w, TAIN_ALARM_FAILED);
    tain_ward_calm(w, TAIN_ALARM_STALLED);
    tain_ward_calm(w, TAIN_ALARM_MEMORY);
}

static void read_status(tain_ward *w, tain_time now)
{
    if (!tain_watch_look(&w->watch, now)) return;
    show_status(w);
    if (!w->watch.is_own) return;
    tain_digest d = tain_watch_digest(w->watch.status);
    if (w->machine.process == TAIN_PROCESS_STARTING && !d.opening) happen(w, TAIN_HAPPENED_READY, now);
    if (tain_watch_advanced(&w->watch)) happen(w, TAIN_HAPPENED_ADVANCED, now);
    if (w->machine.process == TAIN_PROCESS_RUNNING) set_error(w, &w->unfit); /* what was wrong is over: it has its source and its lake */
    settle_reload(w, &d);
    tain_ward_judge(w, &d);
}

static void look(tain_ward *w, tain_time now)
{
    if (!w->child.pid || now < w->next_look) return;
    read_status(w, now);
    w->next_look = now + (w->machine.process == TAIN_PROCESS_STARTING ? LOOK_SOON : LOOK_EVERY);
    if (w->machine.process == TAIN_PROCESS_STARTING || w->machine.process == TAIN_PROCESS_RUNNING) check_pulse(w, now);
    if (tain_machine_lives(&w->machine)) weigh(w, now);
    if (now >= w->next_records) {
        take_records(w, false);
        tain_child_rotate(w->log, LOG_MOST);
        w->next_records = now + RECORDS;
    }
    calm_down(w, now);
}

static void keep_series(tain_ward *w, tain_time now)
{
    if (now < w->next_sample || w->machine.process == TAIN_PROCESS_NONE || w->machine.process == TAIN_PROCESS_FAILED) return;
    tain_digest d = w->watch.is_own ? tain_watch_digest(w->watch.status) : (tain_digest){0};
    sample(w, &d, now);
}

/* --- its turn ------------------------------------------------------------------------------------------------------ */

static void take_lake(tain_ward *w)
{
    char *lake = tain_command_lake(w->s->control, w->item);
    bool  same = w->lake && strcmp(lake, w->lake) == 0;
    if (!same) {
        tain_watch_done(&w->watch);
        tain_watch_init(&w->watch, lake);
    }
    tain_free(w->lake);
    w->lake = lake;
}

static void take_item(tain_ward *w, tain_control_item *item)
{
    tain_wish wish;
    tain_free(w->source_type);
    w->source_type = NULL;
    if (w->item) {
        tain_control_item_done(w->item);
        tain_free(w->item);
    }
    w->item = item;
    take_lake(w);
    if (tain_wish_read(tain_buffer_slice(&item->definition), &wish, NULL) != TAIN_OK) return;
    w->source_type = tain_strdup(wish.type);
    w->records.ignored = wish.unrecorded;
    tain_wish_done(&wish);
}

/* What somebody asked for since. */
static void listen(tain_ward *w, tain_time now)
{
    pthread_mutex_lock(&w->s->lock);
    bool               looked = w->shared.looked, reload = w->shared.reload;
    tain_control_item *item = w->shared.item;
    w->shared.looked = w->shared.reload = false;
    w->shared.item = NULL;
    pthread_mutex_unlock(&w->s->lock);
    if (item) take_item(w, item);
    if (looked && w->machine.process != TAIN_PROCESS_NONE) happen(w, TAIN_HAPPENED_ACTED, now);
    if (looked) compare_command(w);
    if (reload) happen(w, TAIN_HAPPENED_RENEW, now);
}

static void renew(tain_ward *w, tain_time now)
{
    if (!w->outdated || w->s->starts <= 0) return;
    w->s->starts--;
    w->outdated = false;
    happen(w, TAIN_HAPPENED_RENEW, now);
}

/* Many that start at once would be in each other's way. */
static bool must_wait(tain_ward *w, tain_time now)
{
    bool begins = w->machine.process == TAIN_PROCESS_NONE || (w->machine.process == TAIN_PROCESS_BACKOFF && now >= w->machine.due);
    begins = begins && is_wanted(w);
    w->held = begins && w->s->starts <= 0;
    if (begins && !w->held) w->s->starts--;
    return w->held;
}

void tain_ward_turn(tain_ward *w, tain_time now)
{
    int status;
    listen(w, now);
    if (w->child.pid && tain_child_ended(&w->child, &status)) end(w, status, now);
    look(w, now);
    keep_series(w, now);
    renew(w, now);
    if (!must_wait(w, now)) happen(w, TAIN_HAPPENED_NOTHING, now);
}

tain_time tain_ward_due(const tain_ward *w)
{
    tain_time due = w->held || w->outdated ? w->s->refill : w->machine.due;
    return w->child.pid && w->next_look < due ? w->next_look : due;
}

/* --- life ---------------------------------------------------------------------------------------------------------- */

tain_ward *tain_ward_new(tain_supervisor *s, const char *id)
{
    tain_ward *w = tain_alloc(sizeof *w);
    w->s = s;
    w->id = tain_strdup(id);
    w->folder = tain_format("%s/%s", s->folder, id);
    w->log = tain_format("%s/worker.log", w->folder);
    TAIN_AUTO(tain_free) char *records = tain_format("%s/records.jsonl", w->folder);
    tain_records_init(&w->records, records);
    tain_machine_init(&w->machine);
    return w;
}

void tain_ward_free(tain_ward *w)
{
    tain_control_item *const items[] = {w->item, w->shared.item};
    for (int i = 0; i < 2; i++) {
        if (items[i]) tain_control_item_done(items[i]);
        tain_free(items[i]);
    }
    tain_child_done(&w->child);
    tain_watch_done(&w->watch);
    tain_records_done(&w->records);
    tain_samples_done(&w->shared.samples);
    json_decref(w->shared.status);
    tain_free(w->shared.connection);
    tain_free(w->shared.lake);
    tain_free(w->source_type);
    tain_free(w->lake);
    tain_free(w->id);
    tain_free(w->folder);
    tain_free(w->log);
    tain_free(w);
}

bool tain_ward_is_over(tain_ward *w)
{
    pthread_mutex_lock(&w->s->lock);
    bool gone = w->shared.gone;
    pthread_mutex_unlock(&w->s->lock);
    return gone && !w->child.pid;
}
