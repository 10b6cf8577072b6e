/* SPDX-License-Identifier: MIT */
#include "mirror/status.h"

#include <stdlib.h>
#include <unistd.h>

#define RETAINED_FOR (60 * TAIN_SECOND) /* an answer that old says nothing any more */
#define STATUS_KEY "_tain/status.json"

tain_time tain_status_lag(tain_mirror *m)
{
    pthread_mutex_lock(&m->lock);
    tain_time lag = -1, since = m->waiting_since;
    if (m->stalled_since && (!since || m->stalled_since < since)) since = m->stalled_since;
    if (since) {
        lag = tain_now() - since;
    } else if (m->seen.text[0]) {
        lag = 0;
    }
    pthread_mutex_unlock(&m->lock);
    return lag < -1 ? 0 : lag; /* clocks of two machines */
}

/* --- writing ------------------------------------------------------------------------------------------------------- */

static const char *meaning(const char *code)
{
    static const struct { const char *code, *text; } known[] = {
        {"value_out_of_range", "values no Delta type holds were replaced as the policy says (NULL unless it says otherwise)"},
        {"timestamp_infinite", "infinite dates or timestamps were replaced as the policy says (NULL unless it says otherwise)"},
        {"numeric_nan", "NaN in a decimal became NULL"},
        {"value_rounded", "decimals with more digits than the policy's scale were rounded"},
        {"invalid_utf8", "text that is not UTF-8 was repaired"},
        {"array_dimensions", "arrays with other dimensions than declared became NULL"},
        {"type_as_text", "values of several types in the column: it is stored as text"},
        {"row_not_found", "a changed row was not in the mirror; it was written anew"},
        {"value_not_found", "an unchanged value was not in the mirror; it became NULL"},
        {"foreign_commit", "another program committed to the table; rows it changed are not the source's"},
        {"no_change_feed", "the table has no change data feed: its readers have a column of that name"},
        {"index_not_written", "the key index could not be written to its cache folder; it is kept in memory"},
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strcmp(known[i].code, code) == 0) return known[i].text;
    return code;
}

static const char *remedy_of(const char *code)
{
    if (strcmp(code, "foreign_commit") == 0) return "run tain verify, unless it was only OPTIMIZE; write what differs with --repair";
    if (strcmp(code, "row_not_found") == 0 || strcmp(code, "value_not_found") == 0) return "run tain verify; reload the table with --resync";
    if (strcmp(code, "no_change_feed") == 0) return "rename the column in the source, or mirror with --no-cdf";
    if (strcmp(code, "index_not_written") == 0) return "make room in the lake's _tain/cache folder";
    return "";
}

static void write_warnings(tain_json *j, const tain_table *t)
{
    tain_json_key(j, "warnings");
    tain_json_array(j);
    for (size_t i = 0; i < t->warning_count; i++) {
        const tain_warning *w = &t->warnings[i];
        tain_json_object(j);
        tain_json_kstr(j, "code", w->code);
        tain_json_kstr(j, "column", w->column[0] ? w->column : NULL);
        tain_json_kint(j, "count", w->count);
        tain_json_kstr(j, "message", meaning(w->code));
        tain_json_kstr(j, "remedy", remedy_of(w->code));
        tain_json_object_end(j);
    }
    tain_json_array_end(j);
}

static void write_time(tain_json *j, const char *key, tain_time t)
{
    char iso[40];
    tain_json_key(j, key);
    if (t) {
        tain_json_strn(j, iso, tain_time_iso(t, 3, iso));
    } else {
        tain_json_null(j);
    }
}

static void write_table(tain_json *j, tain_table *t)
{
    pthread_mutex_lock(&t->lock);
    tain_json_object(j);
    tain_json_kstr(j, "name", t->name);
    if (t->source && t->source->identity[0]) tain_json_kstr(j, "identity", t->source->identity);
    tain_json_kstr(j, "status", tain_table_status_name(t->status));
    tain_json_kint(j, "rows_replicated", t->rows_live);
    tain_json_kint(j, "rows_processed", t->rows_processed);
    tain_json_kint(j, "bytes_processed", t->bytes_processed);
    write_time(j, "last_completed", t->last_completed);
    tain_json_key(j, "latency_ms");
    if (t->latency) {
        tain_json_int(j, t->latency / TAIN_MILLISECOND);
    } else {
        tain_json_null(j);
    }
    tain_json_key(j, "health");
    tain_health_to_json(&t->health, j);
    tain_json_kstr(j, "reason", t->reason[0] ? t->reason : NULL);
    tain_json_kstr(j, "remedy", t->remedy[0] ? t->remedy : NULL);
    write_warnings(j, t);
    tain_json_object_end(j);
    pthread_mutex_unlock(&t->lock);
}

static void write_trouble(tain_json *j, const tain_mirror *m)
{
    const tain_error *e = m->failure.code != TAIN_OK ? &m->failure : m->trouble.code != TAIN_OK ? &m->trouble : &m->stall;
    tain_json_kstr(j, "reason", e->code != TAIN_OK ? e->message : NULL);
    tain_json_kstr(j, "remedy", e->code != TAIN_OK ? tain_error_advice(e) : NULL);
}

static void add_rows(const tain_table *t, tain_snapshot_status *io, bool *io_known)
{
    if (t->status != TAIN_TABLE_SNAPSHOTTING && t->status != TAIN_TABLE_RESEEDING) return;
    if (t->rows_total < 0) *io_known = false;
    io->rows += t->rows_live;
    io->rows_total += t->rows_total > t->rows_live ? t->rows_total : t->rows_live;
}

bool tain_status_snapshot(tain_mirror *m, tain_snapshot_status *ret)
{
    tain_amount all;
    bool known = true;
    *ret = (tain_snapshot_status){.left = -1};
    if (!tain_meter_read(&m->meter, tain_monotonic(), &all, &ret->rate)) return false;
    ret->bytes = all.bytes;
    for (size_t i = 0; i < m->table_count; i++) add_rows(m->tables[i], ret, &known);
    if (known && ret->rate.rows > 0)
        ret->left = (tain_time)((double)(ret->rows_total - ret->rows) / (double)ret->rate.rows * (double)TAIN_SECOND);
    if (!known) ret->rows_total = -1;
    return true;
}

static void kint_or_null(tain_json *j, const char *key, int64_t v)
{
    tain_json_key(j, key);
    if (v < 0) tain_json_null(j);
    else tain_json_int(j, v);
}

static void write_snapshot(tain_json *j, tain_mirror *m)
{
    tain_snapshot_status s;
    if (!tain_status_snapshot(m, &s)) return;
    tain_json_key(j, "snapshot");
    tain_json_object(j);
    tain_json_kint(j, "rows", s.rows);
    kint_or_null(j, "rows_total", s.rows_total);
    tain_json_kint(j, "bytes", s.bytes);
    tain_json_kint(j, "rows_per_second", s.rate.rows);
    tain_json_kint(j, "bytes_per_second", s.rate.bytes);
    kint_or_null(j, "seconds_left", s.left < 0 ? -1 : (s.left + TAIN_SECOND - 1) / TAIN_SECOND);
    tain_json_object_end(j);
}

/* What keeps a load from beginning. */
static void write_waiting(tain_json *j, const tain_mirror *m)
{
    if (!m->waiting.reason[0]) return;
    tain_json_key(j, "waiting");
    tain_json_object(j);
    tain_json_kstr(j, "reason", m->waiting.reason);
    tain_json_kstr(j, "remedy", m->waiting.remedy[0] ? m->waiting.remedy : NULL);
    tain_json_object_end(j);
}

/* What the source keeps back for the mirror; null: it keeps nothing, or it is not known. */
static void write_source(tain_json *j, const tain_mirror *m)
{
    tain_json_key(j, "source");
    if (!m->retained_at || tain_monotonic() - m->retained_at > RETAINED_FOR) return tain_json_null(j);
    const char *remedy = tain_retained_remedy(m->retained_level, &m->retained);
    tain_json_object(j);
    tain_json_kint(j, "retained_bytes", m->retained.bytes);
    kint_or_null(j, "limit_bytes", m->retained.limit);
    kint_or_null(j, "safe_bytes", m->retained.safe);
    tain_json_kstr(j, "wal_status", m->retained.state);
    tain_json_kstr(j, "level", tain_retained_level_name(m->retained_level));
    tain_json_kstr(j, "reason", m->retained_reason[0] ? m->retained_reason : NULL);
    tain_json_kstr(j, "remedy", *remedy ? remedy : NULL);
    tain_json_object_end(j);
}

/* Not part of what is new or not: it always is. */
static void write_process(tain_json *j, const tain_mirror *m)
{
    tain_time stream = tain_beat_last(&m->stream_beat), source = m->source ? tain_beat_last(&m->source->beat) : 0;
    tain_json_key(j, "process");
    tain_json_object(j);
    tain_json_kint(j, "pid", getpid());
    write_time(j, "started", m->started);
    tain_json_key(j, "beats");
    tain_json_object(j);
    write_time(j, "stream", stream > source ? stream : source);
    write_time(j, "writer", tain_beat_last(&m->writer_beat));
    tain_json_object_end(j);
    tain_json_object_end(j);
}

/* But for the process and its end. */
static void write_mirror(tain_json *j, tain_mirror *m)
{
    tain_time lag = tain_status_lag(m);
    pthread_mutex_lock(&m->lock);
    tain_json_object(j);
    tain_json_kstr(j, "mirror", m->definition->name);
    tain_json_kstr(j, "status", tain_mirror_state_name(m->state));
    tain_json_kstr(j, "position", m->position.text[0] ? m->position.text : NULL);
    tain_json_key(j, "lag_ms");
    if (lag < 0) {
        tain_json_null(j);
    } else {
        tain_json_int(j, lag / TAIN_MILLISECOND);
    }
    tain_json_kint(j, "epoch", m->epoch);
    write_trouble(j, m);
    write_snapshot(j, m);
    write_waiting(j, m);
    write_source(j, m);
    tain_json_key(j, "tables");
    tain_json_array(j);
    for (size_t i = 0; i < m->table_count; i++)
        if (!m->tables[i]->replaced) write_table(j, m->tables[i]);
    tain_json_array_end(j);
    pthread_mutex_unlock(&m->lock);
}

static void write_end(tain_json *j, const tain_mirror *m)
{
    write_process(j, m);
    tain_json_object_end(j);
    tain_buffer_append_u8(j->out, '\n');
}

void tain_status_to_json(tain_mirror *m, tain_buffer *out)
{
    tain_json j = {.out = out};
    write_mirror(&j, m);
    write_end(&j, m);
}

void tain_status_kept_done(tain_status_kept *k) { tain_buffer_done(&k->text); }

/* j has written what may be new. */
static tain_status keep(tain_mirror *m, tain_json *j, tain_status_kept *io_last, bool anyway, tain_error *err)
{
    size_t told = j->out->size;
    bool same = io_last && io_last->text.size == told && memcmp(io_last->text.data, j->out->data, told) == 0;
    if (io_last) io_last->same = same;
    if (same && !anyway) return TAIN_OK;
    write_end(j, m);
    TAIN_TRY(tain_store_put(tain_lake_store(m->lake), STATUS_KEY, tain_buffer_slice(j->out), 0, err));
    if (!io_last) return TAIN_OK;
    tain_buffer_clear(&io_last->text);
    tain_buffer_append(&io_last->text, j->out->data, told);
    return TAIN_OK;
}

tain_status tain_status_write(tain_mirror *m, tain_status_kept *io_last, bool anyway, tain_error *err)
{
    TAIN_AUTO(tain_buffer_done) tain_buffer text = {0};
    tain_json j = {.out = &text};
    write_mirror(&j, m);
    return keep(m, &j, io_last, anyway, err);
}

/* --- before and after ---------------------------------------------------------------------------------------------- */

/* What the last run said, without what was true of it alone. */
static json_t *without_run(const json_t *before, const tain_mirror *m)
{
    static const char *const runs[] = {"process", "end", "snapshot", "waiting"};
    json_t *o = json_is_object(before) ? json_copy((json_t *)before) : json_pack("{s:n,s:i,s:[]}", "position", "epoch", 0, "tables");
    for (size_t i = 0; i < sizeof runs / sizeof *runs; i++) json_object_del(o, runs[i]);
    json_object_set_new(o, "mirror", json_string(m->definition->name));
    json_object_set_new(o, "lag_ms", json_null());
    json_object_set_new(o, "source", json_null());
    return o;
}

static void set_state(json_t *o, tain_mirror_state state, const char *reason, const char *remedy)
{
    json_object_set_new(o, "status", json_string(tain_mirror_state_name(state)));
    json_object_set_new(o, "reason", reason ? json_string(reason) : json_null());
    json_object_set_new(o, "remedy", remedy ? json_string(remedy) : json_null());
}

/* An object that "process" is still to be added to. */
static tain_status keep_object(tain_mirror *m, const json_t *o, tain_status_kept *io_last, bool anyway, tain_error *err)
{
    TAIN_AUTO(tain_free) char *text = json_dumps(o, JSON_COMPACT);
    TAIN_AUTO(tain_buffer_done) tain_buffer out = {0};
    if (!text) return TAIN_OK;
    tain_buffer_append(&out, text, strlen(text) - 1);
    return keep(m, &(tain_json){.out = &out, .comma = true}, io_last, anyway, err);
}

tain_status tain_status_write_opening(tain_mirror *m, const json_t *before, tain_status_kept *io_last, bool anyway, tain_error *err)
{
    if (!before && !m->watched) return TAIN_OK;
    json_t *o = without_run(before, m);
    pthread_mutex_lock(&m->lock);
    set_state(o, m->state, NULL, NULL);
    pthread_mutex_unlock(&m->lock);
    tain_status st = keep_object(m, o, io_last, anyway, err);
    json_decref(o);
    return st;
}

static const char *policy_name(tain_policy p)
{
    static const char *const names[] = {[TAIN_POLICY_RETRY] = "retry", [TAIN_POLICY_OPERATOR] = "operator", [TAIN_POLICY_STOP] = "stop"};
    return names[p];
}

tain_status tain_status_note_end(tain_mirror *m, const tain_error *why, tain_error *err)
{
    json_t *before = tain_status_stored(m->lake);
    if (!json_is_object(before) && !m->watched) {
        json_decref(before);
        return TAIN_OK;
    }
    json_t *o = without_run(before, m);
    json_decref(before);
    set_state(o, TAIN_MIRROR_STOPPED, why->message, tain_error_advice(why));
    json_object_set_new(o, "end", json_pack("{s:s,s:s,s:s,s:s}", "code", tain_status_name(why->code), "policy", policy_name(tain_status_policy(why->code)),
                                            "message", why->message, "remedy", tain_error_advice(why)));
    tain_status st = keep_object(m, o, NULL, true, err);
    json_decref(o);
    return st;
}

/* --- reading back -------------------------------------------------------------------------------------------------- */

static void restore_table(tain_mirror *m, const json_t *o)
{
    tain_table *t = tain_mirror_find(m, tain_json_get_str(o, "name", ""));
    size_t i;
    json_t *w;
    if (!t) return;
    if (t->left_behind && strcmp(tain_json_get_str(o, "status", ""), tain_table_status_name(t->status)) != 0)
        tain_mirror_say(m, "%s is not mirrored any more: %s; its folder stays as it is", t->name, t->reason);
    t->known = true;
    t->was = tain_table_status_of(tain_json_get_str(o, "status", ""));
    if (!t->last_completed) t->last_completed = tain_time_from_iso(tain_json_get_str(o, "last_completed", ""));
    if (!t->latency) t->latency = tain_json_get_int(o, "latency_ms", 0) * TAIN_MILLISECOND;
    json_array_foreach(json_object_get(o, "warnings"), i, w)
    {
        tain_table_warn(t, tain_json_get_str(w, "code", ""), tain_json_get_str(w, "column", ""), tain_json_get_int(w, "count", 0));
    }
}

json_t *tain_status_stored(tain_lake *lake)
{
    TAIN_AUTO(tain_buffer_done) tain_buffer text = {0};
    json_t *root;
    if (tain_store_get(tain_lake_store(lake), STATUS_KEY, 0, -1, &text, NULL) != TAIN_OK) return NULL;
    return tain_json_parse(text.data, text.size, STATUS_KEY, &root, NULL) == TAIN_OK ? root : NULL;
}

bool tain_status_had_content(const json_t *stored, const char *table, const char *identity)
{
    size_t i;
    json_t *o;
    json_array_foreach(json_object_get(stored, "tables"), i, o)
    {
        if (strcmp(tain_json_get_str(o, "name", ""), table) != 0 || strcmp(tain_json_get_str(o, "identity", identity), identity) != 0) continue;
        const char *status = tain_json_get_str(o, "status", "");
        bool followed = strcmp(status, tain_table_status_name(TAIN_TABLE_REPLICATING)) == 0 || strcmp(status, tain_table_status_name(TAIN_TABLE_FAILED)) == 0;
        return followed && tain_json_get_str(o, "last_completed", NULL);
    }
    return false;
}

void tain_status_restore(tain_mirror *m, const json_t *stored)
{
    size_t i;
    json_t *o;
    json_array_foreach(json_object_get(stored, "tables"), i, o)
    {
        restore_table(m, o);
    }
}
