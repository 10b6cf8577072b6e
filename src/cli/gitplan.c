/* SPDX-License-Identifier: MIT */
#include "cli/gitplan.h"

#include <stdlib.h>
#include <strings.h>

#include "base/json.h"

enum { PATHS_SHOWN = 4 };

void tain_git_presents_done(tain_git_presents *p)
{
    for (size_t i = 0; i < p->count; i++) {
        tain_git_present *one = &p->list[i];
        tain_free(one->id);
        tain_free(one->name);
        tain_free(one->status);
        tain_git_platform_done(&one->platform);
        tain_git_parts_done(&one->parts);
    }
    free(p->list);
    *p = (tain_git_presents){0};
}

/* --- what is different --------------------------------------------------------------------------------------------- */

typedef struct differences {
    tain_buffer out;
    size_t      count;
} differences;

static void note(differences *d, const char *what)
{
    if (d->count++ < PATHS_SHOWN) tain_buffer_printf(&d->out, "%s%s", d->out.size ? ", " : "", what);
}

static void compare_json(const json_t *a, const json_t *b, const char *path, differences *d);

static void compare_member(const json_t *a, const json_t *b, const char *path, const char *key, differences *d)
{
    char *below = *path ? tain_format("%s.%s", path, key) : tain_strdup(key);
    compare_json(json_object_get(a, key), json_object_get(b, key), below, d);
    tain_free(below);
}

/* Objects by their members, all else as a whole. */
static void compare_json(const json_t *a, const json_t *b, const char *path, differences *d)
{
    const char *key;
    json_t     *v;
    if (!json_is_object(a) || !json_is_object(b)) {
        if (!a || !b || !json_equal(a, b)) note(d, path);
        return;
    }
    json_object_foreach((json_t *)a, key, v) compare_member(a, b, path, key, d);
    json_object_foreach((json_t *)b, key, v)
    {
        if (!json_object_get(a, key)) compare_member(a, b, path, key, d);
    }
}

static json_t *parsed(const tain_buffer *b)
{
    json_t *o = NULL;
    return tain_json_parse(b->data, b->size, "", &o, NULL) == TAIN_OK ? o : NULL;
}

/* By what it says; where it says the same in other letters, that is told. */
static void compare_part(const tain_buffer *a, const tain_buffer *b, const char *file, differences *d)
{
    if (a->size == b->size && (a->size == 0 || memcmp(a->data, b->data, a->size) == 0)) return;
    TAIN_AUTO(tain_json_decref) json_t *was = parsed(a), *now = parsed(b);
    json_t *deep_was = json_object_get(was, "properties"), *deep_now = json_object_get(now, "properties");
    size_t  before = d->count;
    if (deep_was && deep_now) compare_json(deep_was, deep_now, "", d);
    else if (was && now) compare_json(was, now, "", d);
    if (d->count > before) return;
    char *text = tain_format("layout of %s", file);
    note(d, text);
    tain_free(text);
}

static char *changes_of(const tain_git_item *wanted, const tain_git_present *present)
{
    differences d = {0};
    if (strcmp(wanted->platform.name, present->name) != 0) {
        char *text = tain_format("name (was '%s')", present->name);
        note(&d, text);
        tain_free(text);
    }
    compare_part(&present->parts.mirroring, &wanted->parts.mirroring, TAIN_DEFINITION_FILE, &d);
    /* Without one in the folder, the service's own is as good; its name is compared above. */
    if (wanted->parts.platform.size) compare_part(&present->parts.platform, &wanted->parts.platform, TAIN_PLATFORM_FILE, &d);
    if (d.count > PATHS_SHOWN) tain_buffer_printf(&d.out, " and %zu more", d.count - PATHS_SHOWN);
    return d.count ? tain_buffer_cstr(&d.out) : NULL;
}

/* --- what state is wanted ------------------------------------------------------------------------------------------ */

static bool is_one_of(const char *text, const char *a, const char *b, const char *c)
{
    return strcmp(text, a) == 0 || strcmp(text, b) == 0 || strcmp(text, c) == 0;
}

static const char *steer_of(const tain_git_item *wanted, const char *status)
{
    if (!wanted->state) return NULL;
    if (strcmp(wanted->state, "paused") == 0) return strcmp(status, "Paused") == 0 ? NULL : "pause";
    if (strcmp(wanted->state, "stopped") == 0) return is_one_of(status, "Stopped", "Initialized", "Stopping") ? NULL : "stop";
    if (strcmp(status, "Paused") == 0) return "resume";
    return is_one_of(status, "Running", "Starting", "Initializing") ? NULL : "start";
}

/* --- who is who ---------------------------------------------------------------------------------------------------- */

static bool same_text(const char *a, const char *b)
{
    return a && b && strcasecmp(a, b) == 0;
}

/* Those of the service that a step has already are taken. */
static const tain_git_present *find(const tain_git_presents *all, const bool *taken, const tain_git_item *wanted, bool by_id)
{
    for (size_t i = 0; i < all->count; i++) {
        const tain_git_present *p = &all->list[i];
        if (taken[i]) continue;
        if (by_id ? same_text(p->platform.logical_id, wanted->platform.logical_id) : strcmp(p->name, wanted->platform.name) == 0) return p;
    }
    return NULL;
}

/* First all that logical ids tell, so that names may have changed places. */
static void match(const tain_git_items *wanted, const tain_git_presents *present, const tain_git_present **ret, bool *taken)
{
    for (int by_name = 0; by_name < 2; by_name++) {
        for (size_t i = 0; i < wanted->count; i++) {
            if (!ret[i]) ret[i] = find(present, taken, &wanted->list[i], !by_name);
            if (ret[i]) taken[ret[i] - present->list] = true;
        }
    }
}

/* --- the plan ------------------------------------------------------------------------------------------------------ */

static void add(tain_git_plan *p, tain_git_step s)
{
    p->steps[p->count++] = s;
    p->actions[s.action]++;
    p->steered += s.steer != NULL;
}

static void add_wanted(tain_git_plan *p, const tain_git_item *wanted, const tain_git_present *present)
{
    tain_git_step s = {.action = TAIN_GIT_CREATE, .wanted = wanted, .present = present, .steer = steer_of(wanted, present ? present->status : "Initialized")};
    if (present) {
        s.changes = changes_of(wanted, present);
        s.action = s.changes ? TAIN_GIT_CHANGE : TAIN_GIT_UNCHANGED;
    }
    add(p, s);
}

static void add_unwanted(tain_git_plan *p, const tain_git_present *present, const json_t *created, bool prune)
{
    bool ours = present->platform.logical_id && json_object_get(created, present->platform.logical_id);
    add(p, (tain_git_step){.action = ours || prune ? TAIN_GIT_REMOVE : TAIN_GIT_LEAVE, .present = present,
                       .changes = tain_strdup(ours ? "was created from this folder" : prune ? "is not in the folder" : "is not of this folder; --prune removes it")});
}

static int by_action(const void *a, const void *b)
{
    const tain_git_step *x = a, *y = b;
    if (x->action != y->action) return x->action < y->action ? -1 : 1;
    return strcmp(tain_git_step_name(x), tain_git_step_name(y));
}

void tain_git_plan_make(const tain_git_items *wanted, const tain_git_presents *present, const json_t *created, bool prune, tain_git_plan *ret)
{
    const tain_git_present **matched = tain_alloc((wanted->count + 1) * sizeof *matched);
    bool                *taken = tain_alloc(present->count + 1);
    *ret = (tain_git_plan){.steps = tain_alloc((wanted->count + present->count + 1) * sizeof(tain_git_step))};
    match(wanted, present, matched, taken);
    for (size_t i = 0; i < wanted->count; i++) add_wanted(ret, &wanted->list[i], matched[i]);
    for (size_t i = 0; i < present->count; i++)
        if (!taken[i]) add_unwanted(ret, &present->list[i], created, prune);
    qsort(ret->steps, ret->count, sizeof *ret->steps, by_action);
    free(matched);
    free(taken);
}

void tain_git_plan_done(tain_git_plan *p)
{
    for (size_t i = 0; i < p->count; i++) tain_free(p->steps[i].changes);
    free(p->steps);
    *p = (tain_git_plan){0};
}

bool tain_git_plan_is_empty(const tain_git_plan *p)
{
    return !p->actions[TAIN_GIT_REMOVE] && !p->actions[TAIN_GIT_CHANGE] && !p->actions[TAIN_GIT_CREATE] && !p->steered;
}

const char *tain_git_plan_action_name(tain_git_action a)
{
    static const char *const names[] = {"remove", "change", "create", "unchanged", "leave"};
    return names[a];
}

const char *tain_git_step_name(const tain_git_step *s)
{
    return s->wanted ? s->wanted->platform.name : s->present->name;
}
