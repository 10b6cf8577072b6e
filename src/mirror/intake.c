/* SPDX-License-Identifier: MIT */
#include "mirror/intake.h"
#include "mirror/load/reread.h"

#include <stdlib.h>

enum {
    LOOK_EVERY = 64,           /* rows between two looks at the size of everything */
    LARGEST_PIECE = 128 << 20, /* with the largest row any source has behind it, a column is below the 2 GiB it can hold */
    ROW_COST = 48,             /* bytes that applying a row takes besides its values, */
    HISTORY_COST = 80,         /* and where its table has a history */
    GIANT = 16 << 20,
    EARLY_PIECE = 4 << 20,     /* bytes worth handing over inside a transaction when the writer has nothing to do */
};

static tain_intake *of(tain_sink *sink)
{
    return (tain_intake *)sink;
}

/* --- items --------------------------------------------------------------------------------------------------------- */

static tain_part *part_of(tain_intake *in)
{
    if (!in->part) {
        in->part = tain_alloc(sizeof *in->part);
        in->part->first_change = tain_monotonic();
    }
    return in->part;
}

static tain_table_part *table_part(tain_part *p, tain_table *t)
{
    for (size_t i = 0; i < p->count; i++)
        if (p->tables[i].table == t) return &p->tables[i];
    if (p->count == p->capacity) {
        p->capacity = p->capacity ? p->capacity * 2 : 8;
        p->tables = tain_realloc(p->tables, p->capacity * sizeof *p->tables);
    }
    p->tables[p->count] = (tain_table_part){.table = t};
    return &p->tables[p->count++];
}

static tain_position where(const tain_intake *in)
{
    return in->open ? in->at : in->position;
}

/* Histories tell which transaction a row is of. */
static void stamp(tain_intake *in, tain_item *item, size_t row)
{
    item->stamped = in->transaction;
    if (!in->mirror->definition->history.on) return;
    const tain_stamp s = {.row = row, .at = where(in), .transaction = in->of, .time = in->of_time};
    tain_buffer_append(&item->stamps, &s, sizeof s);
}

static tain_item *new_item(tain_intake *in, tain_table *t, tain_item_kind kind)
{
    tain_item *item = tain_alloc(sizeof *item);
    item->kind = kind;
    stamp(in, item, 0);
    tain_table_part *tp = table_part(part_of(in), t);
    if (tp->last) {
        tp->last->next = item;
    } else {
        tp->first = item;
    }
    tp->last = item;
    t->open_item = NULL;
    return item;
}

static void close_items(tain_part *p)
{
    for (size_t i = 0; i < p->count; i++) p->tables[i].table->open_item = NULL;
}

static size_t bytes_of(const tain_intake *in, const tain_item *item)
{
    size_t cost = ROW_COST + (in->mirror->definition->history.on ? HISTORY_COST : 0);
    return tain_changes_bytes(&item->changes) + item->changes.batch.rows * cost + item->stamps.size;
}

/* Counts what was appended to the item that was handed out last. */
static void measure(tain_intake *in)
{
    if (!in->growing) return;
    size_t now = bytes_of(in, in->growing);
    in->bytes += now - in->measured;
    in->measured = now;
}

static void begin_measuring(tain_intake *in, tain_item *item)
{
    if (in->growing == item) return;
    measure(in);
    in->growing = item;
    in->measured = bytes_of(in, item);
}

static void measure_anew(tain_intake *in)
{
    in->growing = NULL;
    in->bytes = in->measured = 0;
}

/* A value that is large beside the budget is not held twice: nothing else is read until it is written. */
static bool has_giant(const tain_intake *in)
{
    return in->bytes > 2 * in->budget && in->bytes > GIANT;
}

/* --- handing over -------------------------------------------------------------------------------------------------- */

static tain_status give(tain_intake *in, bool final, tain_error *err)
{
    tain_part *p = part_of(in);
    close_items(p);
    p->final = final;
    p->position = in->position;
    p->source_time = in->source_time;
    p->received = tain_now();
    bool giant = has_giant(in);
    in->part = NULL;
    measure_anew(in);
    in->given = !final;
    in->last_cut = tain_monotonic();
    TAIN_TRY(tain_writer_give(in->mirror, p, err));
    if (giant) tain_writer_drain(in->mirror);
    return TAIN_OK;
}

/* A large transaction is applied while the rest of it comes in. */
static void look_at_size(tain_intake *in)
{
    if (!in->part) return;
    if (in->bytes < in->budget && (in->bytes < EARLY_PIECE || !tain_writer_idle(in->mirror))) return;
    if (give(in, false, &in->error) != TAIN_OK) in->trouble = in->error.code;
}

tain_status tain_intake_cut(tain_intake *in, tain_error *err)
{
    return give(in, true, err);
}

bool tain_intake_is_whole(const tain_intake *in)
{
    return tain_position_compare(&in->position, &in->mirror->whole) >= 0;
}

tain_time tain_intake_due_at(const tain_intake *in)
{
    if ((!in->part && !in->given) || !tain_intake_is_whole(in)) return INT64_MAX;
    tain_time since = in->part ? in->part->first_change : in->last_cut;
    return since + in->mirror->definition->freshness;
}

bool tain_intake_due(const tain_intake *in, tain_time now)
{
    if (in->open || !tain_intake_is_whole(in) || now < tain_intake_due_at(in)) return false;
    return tain_writer_idle(in->mirror) || (in->part && in->bytes > in->budget / 2);
}

bool tain_intake_load_due(const tain_intake *in)
{
    const tain_mirror *m = in->mirror;
    return in->load_wanted && !m->load && m->replays == TAIN_REPLAYS_NONE && tain_monotonic() >= in->load_after;
}

/* --- the sink ------------------------------------------------------------------------------------------------------ */

static void sink_begin(tain_sink *sink, const tain_position *at)
{
    tain_intake *in = of(sink);
    in->at = *at;
    in->transaction++;
    in->open = true;
}

/* What happens now is not in the content that is being loaded. */
static bool is_news(const tain_intake *in, const tain_table *t)
{
    tain_position now = where(in);
    return tain_position_compare(&now, &t->loading_at) > 0;
}

static bool wants(tain_intake *in, tain_table *t)
{
    if (t->loading) {
        if (!t->missed) t->missed = is_news(in, t);
        return false;
    }
    if (t->checked != in->transaction) {
        t->checked = in->transaction;
        t->skip = tain_position_compare(&t->have, &in->at) >= 0;
        if (t->needs_load) t->passed = in->at;
    }
    return !t->skip && !t->needs_load && tain_table_takes_changes(t);
}

static tain_source_table copy_shape(const tain_source_table *source)
{
    tain_source_table s = {.columns = source->columns, .defaults = source->defaults, .key_count = source->key_count};
    s.key = tain_alloc((source->key_count + 1) * sizeof *source->key);
    memcpy(s.key, source->key, source->key_count * sizeof *source->key);
    s.memo = tain_strdup(source->memo);
    s.schema = tain_strdup(source->schema);
    s.name = tain_strdup(source->name);
    return s;
}

/* One whose content is not followed now goes where its name goes. */
static void tell_name(tain_intake *in, tain_table *t, const tain_source_table *source)
{
    tain_item *item = new_item(in, t, TAIN_ITEM_NAME);
    item->shape.schema = tain_strdup(source->schema);
    item->shape.name = tain_strdup(source->name);
}

/* In front of the first row that has it, and again when a stream was lost, since the source tells of a shape once. */
static void tell_shape(tain_intake *in, tain_table *t, const tain_source_table *source)
{
    if (t->told == source->columns) return;
    tain_item *item = new_item(in, t, TAIN_ITEM_SCHEMA);
    item->shape = copy_shape(source);
    t->told = source->columns;
}

/* KEY_NEW belongs to the batch of its KEY_OLD. */
static bool ends_in_half_a_pair(const tain_item *item)
{
    size_t rows = item ? item->changes.batch.rows : 0;
    return rows && item->changes.ops.data[rows - 1] == TAIN_KEY_OLD;
}

static tain_changes *sink_changes(tain_sink *sink, tain_source_table *source)
{
    tain_intake *in = of(sink);
    tain_table *t = source->user;
    if (!t || in->trouble != TAIN_OK || !wants(in, t)) return NULL;
    bool read = t->staged && t->reread.count && !is_news(in, t);
    if (t->open_item && t->open_item->read != read) t->open_item = NULL;
    tain_item *item = t->open_item;
    measure(in);
    if ((++in->calls % LOOK_EVERY == 0 || in->bytes >= in->budget) && !ends_in_half_a_pair(item)) {
        look_at_size(in);
        item = t->open_item;
    }
    if (!item) {
        tell_shape(in, t, source);
        item = new_item(in, t, TAIN_ITEM_CHANGES);
        tain_changes_init(&item->changes, source->columns);
        item->read = read;
        t->open_item = item;
    }
    if (item->stamped != in->transaction) stamp(in, item, item->changes.batch.rows);
    in->part->changes++;
    begin_measuring(in, item);
    return &item->changes;
}

static void sink_relieve(tain_sink *sink)
{
    tain_intake *in = of(sink);
    measure(in);
    if (has_giant(in) && in->trouble == TAIN_OK && !ends_in_half_a_pair(in->growing)) look_at_size(in);
}

static void want_reading(tain_intake *in, tain_table *t, const char *reason)
{
    if (t->paused) return tain_mirror_rest(t);
    in->load_wanted = t->needs_load = true;
    t->late = in->mirror->asked != 0;
    free(t->load_reason);
    t->load_reason = tain_strdup(reason); /* NULL stays NULL */
    bool back = t->status == TAIN_TABLE_STOPPED; /* it must not make way as one that is gone */
    if (back || tain_table_takes_changes(t)) tain_table_set_status(t, TAIN_TABLE_RESEEDING, reason ? reason : back ? "it was not followed for a while" : NULL, NULL);
}

static void want_load(tain_intake *in, tain_table *t, const char *reason)
{
    tain_reread_forget(t);
    want_reading(in, t, reason);
}

static void reload(tain_intake *in, tain_table *t, const char *reason)
{
    tain_mirror_say(in->mirror, "%s: %s; the table is loaded again, readers keep the old content until then", t->name, reason);
    want_load(in, t, reason);
}

void tain_intake_take_misfits(tain_intake *in)
{
    tain_mirror *m = in->mirror;
    if (!atomic_exchange(&m->misfits, false)) return;
    for (size_t i = 0; i < m->table_count; i++) {
        tain_table *t = m->tables[i];
        pthread_mutex_lock(&t->lock);
        char *why = t->misfit;
        t->misfit = NULL;
        pthread_mutex_unlock(&t->lock);
        if (why) reload(in, t, why);
        free(why);
    }
}

/* What may be right again by the stream that begins at the load's position waits for that, otherwise it is loaded anew; so is one
 * of which only a part is read. */
static void reshape_loading(tain_intake *in, tain_table *t, bool anew, const char *reason)
{
    bool news = is_news(in, t), part = t->reread.count;
    t->missed |= news;
    if (news) {
        t->reshaped_at = where(in);
        t->retell = in->retell = true;
    }
    if (!part && (!anew || (in->open && !news))) return;
    t->overtaken = true;
    reload(in, t, reason);
}

static tain_status sink_reshape(tain_sink *sink, tain_source_table *source, bool anew, const char *reason, tain_error *err)
{
    tain_intake *in = of(sink);
    tain_table *t = source->user;
    if (!t) return TAIN_OK;
    if (t->loading) {
        reshape_loading(in, t, anew, reason);
        return in->trouble;
    }
    if (t->staged && !anew) {
        atomic_store(&t->anew, true);
        anew = true;
        reason = "its columns changed while its load was interrupted";
    }
    if (anew && !t->paused) {
        reload(in, t, reason);
    } else {
        t->told = NULL;
        t->open_item = NULL;
        t->reshaped_at = where(in);
        if (wants(in, t)) tell_shape(in, t, source);
        else if (!t->skip) tell_name(in, t, source);
    }
    return in->trouble;
}

static tain_status sink_truncate(tain_sink *sink, tain_source_table *source, const tain_region *within, tain_error *err)
{
    tain_intake *in = of(sink);
    tain_table *t = source->user;
    bool lost = t && t->staged && t->reread.count && !is_news(in, t); /* rows that never came by the stream would go, too */
    if (lost) return sink_reshape(sink, source, true, "it was truncated before a part of it was read again", err);
    if (t && wants(in, t)) {
        if (within) tell_shape(in, t, source); /* its columns are told by that */
        new_item(in, t, TAIN_ITEM_TRUNCATE)->within = within;
        in->part->changes++;
    }
    return in->trouble;
}

static tain_status sink_reread(tain_sink *sink, tain_source_table *source, const tain_region *within, const char *reason, tain_error *err)
{
    tain_intake *in = of(sink);
    tain_table *t = source->user;
    if (!t || t->paused) return TAIN_OK;
    if (!tain_reread_want(in->mirror, t, within)) return sink_reshape(sink, source, true, reason, err);
    tain_mirror_say(in->mirror, "%s: %s; its rows are read again, readers keep the old content until then", t->name, reason);
    want_reading(in, t, reason);
    return in->trouble;
}

/* The stream has not come to where the one that bears the name loses it. */
static tain_table *add_aside(tain_mirror *m, tain_source_table *source)
{
    tain_table *t = tain_mirror_add(m, source);
    tain_table_house_aside(t, tain_lake_store(m->lake), tain_lake_cache_dir(m->lake));
    tain_table_goes(t, source->schema, source->name);
    return t;
}

/* Whether it is gone for good under the name that it has: not come back already, nor called otherwise further on in the stream. */
static bool leaves_name(const tain_table *t, const tain_source_table *source)
{
    if (t->left_behind) return true;
    if (!tain_table_makes_way(t) || t->needs_load) return false;
    return strcmp(t->source->name, source->name) == 0 && strcmp(t->source->schema, source->schema) == 0;
}

/* A table made again under the name of one that is gone takes its place. */
static tain_table *table_for(tain_mirror *m, tain_source_table *source)
{
    char *name = tain_source_full_name(source->schema, source->name);
    tain_table *t = tain_mirror_find(m, name);
    free(name);
    if (!t) return tain_mirror_add(m, source);
    if (!leaves_name(t, source)) return add_aside(m, source);
    source->user = t;
    if (!t->left_behind) return t;
    tain_source_table *stand_in = t->source;
    t->source = source;
    tain_table_shape(t, source);
    tain_source_table_free(stand_in);
    t->left_behind = false;
    return t;
}

static tain_status sink_appeared(tain_sink *sink, tain_source_table *source, tain_error *err)
{
    tain_intake *in = of(sink);
    if (source->verdict == TAIN_VERDICT_ERROR) return TAIN_OK;
    pthread_mutex_lock(&in->mirror->tables_lock); /* the writer goes through the list */
    tain_table *t = source->user ? source->user : table_for(in->mirror, source);
    t->source = source;
    t->overtaken |= t->loading;
    pthread_mutex_unlock(&in->mirror->tables_lock);
    want_load(in, t, NULL);
    if (t->status == TAIN_TABLE_FAILED) tain_table_set_status(t, TAIN_TABLE_RESEEDING, "it was not followed for a while", NULL);
    return TAIN_OK;
}

static tain_status sink_dropped(tain_sink *sink, tain_source_table *source, tain_error *err)
{
    tain_intake *in = of(sink);
    tain_table *t = source->user;
    if (!t) return TAIN_OK;
    t->overtaken |= t->loading;
    if (t->needs_load && tain_position_compare(&in->at, &t->have) > 0) t->have = in->at; /* it will not get what it lacks */
    tain_table_set_dropped(t);
    return TAIN_OK;
}

static tain_status sink_failed(tain_sink *sink, tain_source_table *source, const char *reason, const char *remedy, tain_error *err)
{
    tain_table *t = source->user;
    if (!t) return TAIN_OK;
    t->overtaken |= t->loading;
    if (t->loading) t->needs_load = false;
    tain_table_set_failed(t, TAIN_E_UNSUPPORTED, reason, remedy);
    return TAIN_OK;
}

static void sink_warn(tain_sink *sink, tain_source_table *source, size_t column, const char *code)
{
    tain_table *t = source->user;
    if (!t) return;
    tain_table_warn(t, code, source->columns->fields[column].name, 1);
    if (!tain_source_table_is_key(source, column) || !tain_table_takes_changes(t)) return;
    tain_error why;
    (void)!tain_table_fail_key(source, column, &why);
    tain_table_set_failed(t, why.code, why.message, why.remedy);
}

static void sink_about(tain_sink *sink, int64_t transaction, tain_time time)
{
    tain_intake *in = of(sink);
    in->of = transaction;
    in->of_time = time;
}

static void note_seen(tain_intake *in, tain_time time)
{
    tain_mirror *m = in->mirror;
    pthread_mutex_lock(&m->lock);
    m->seen = in->position;
    if ((in->part || in->given) && !m->waiting_since) m->waiting_since = time ? time : tain_now();
    pthread_mutex_unlock(&m->lock);
}

/* The source tells of a shape once: what was lost of that, and no row has told of since, is told where it belongs. */
static void retell_shapes(tain_intake *in)
{
    if (!in->retell) return;
    in->retell = false;
    for (size_t i = 0; i < in->mirror->table_count; i++) {
        tain_table *t = in->mirror->tables[i];
        bool later = t->loading || tain_position_compare(&t->reshaped_at, &in->position) > 0;
        if (t->retell && !later && !t->needs_load && tain_table_takes_changes(t)) tell_shape(in, t, t->source);
        t->retell = t->retell && later;
        in->retell |= t->retell;
    }
}

static tain_status sink_commit(tain_sink *sink, const tain_position *position, tain_time time, tain_error *err)
{
    tain_intake *in = of(sink);
    if (in->open && tain_position_compare(position, &in->reached) > 0) in->reached = *position;
    in->open = false;
    in->position = *position;
    retell_shapes(in);
    sink_about(sink, 0, 0);
    if (in->part || in->given) in->source_time = time;
    note_seen(in, time);
    measure(in);
    if (has_giant(in)) look_at_size(in);
    if (in->trouble != TAIN_OK) return tain_fail(err, in->trouble, "%s", in->error.message);
    if (tain_intake_load_due(in) || tain_intake_due(in, tain_monotonic()) || tain_intake_due_at(in) < in->until || atomic_load(&in->mirror->stop))
        return TAIN_E_CANCELLED;
    return TAIN_OK;
}

/* --- life ---------------------------------------------------------------------------------------------------------- */

void tain_intake_init(tain_intake *in, tain_mirror *m, size_t budget)
{
    *in = (tain_intake){
        .sink = {.begin = sink_begin, .changes = sink_changes, .truncate = sink_truncate, .reshape = sink_reshape, .reread = sink_reread,
                 .appeared = sink_appeared, .dropped = sink_dropped, .failed = sink_failed, .warn = sink_warn, .commit = sink_commit,
                 .relieve = sink_relieve, .about = sink_about},
        .mirror = m,
        .budget = budget < LARGEST_PIECE ? budget : LARGEST_PIECE,
        .last_cut = tain_monotonic(),
        .position = m->position,
    };
}

void tain_intake_done(tain_intake *in)
{
    if (in->part) close_items(in->part);
    tain_part_free(in->part);
    in->part = NULL;
    measure_anew(in);
}

static void forget_told(tain_intake *in, tain_table *t)
{
    t->told = NULL;
    if (!t->reshaped_at.text[0] || tain_position_compare(&t->reshaped_at, &in->position) < 0) return;
    t->retell = in->retell = true;
}

void tain_intake_abort(tain_intake *in)
{
    tain_intake_done(in);
    if (in->given) {
        tain_part *p = tain_alloc(sizeof *p);
        p->abort = true;
        if (tain_writer_give(in->mirror, p, NULL) != TAIN_OK) in->trouble = TAIN_E_CANCELLED;
    }
    tain_writer_drain(in->mirror);
    in->given = in->open = false;
    in->position = tain_mirror_recorded(in->mirror);
    for (size_t i = 0; i < in->mirror->table_count; i++) forget_told(in, in->mirror->tables[i]);
}
