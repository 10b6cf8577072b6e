/* SPDX-License-Identifier: MIT */
/* A table written down as JSON: its memo, and what an event trigger tells of it (capture of schema changes).
 *
 *   {"oid":16385,"kind":"r","file":16385,"ident":"d","schema":"app","name":"t","natts":3,"key":[1],
 *    "cols":[[attnum,name,type,typmod,dimensions,written,missing,flags]...]   flags: 1 generated, 2 filled, 4 unsure
 *    "leaves":[[oid,file,filled,bounds]...],   filled: 0: it has no rows; bounds: a text (partition.c), or null
 *    "types":"oid:count:hash,...", "policies":"{...}", "publication":[oid,altered,listed], "as_of":"xmin:xmax:...", "unseen":xid, "ahead":lsn,
 *    "read":lsn, "truncates":n}   of a memo only */
#include "source/postgres/postgres.h"

#include "base/json.h"

enum { GENERATED = 1, FILLED = 2, UNSURE = 4 };

/* --- writing ------------------------------------------------------------------------------------------------------- */

static void put_column(tain_json *j, const tain_pg_column *c)
{
    tain_json_array(j);
    tain_json_int(j, c->attnum);
    tain_json_str(j, c->name);
    tain_json_int(j, c->type_oid);
    tain_json_int(j, c->typmod);
    tain_json_int(j, c->dimensions);
    tain_json_int(j, c->written);
    tain_json_str(j, c->missing);
    tain_json_int(j, (c->filled ? FILLED : 0) | (c->unsure ? UNSURE : 0));
    tain_json_array_end(j);
}

static void put_columns(tain_json *j, const tain_pg_table *t)
{
    tain_json_key(j, "key");
    tain_json_array(j);
    for (size_t i = 0; i < t->key_count; i++) tain_json_int(j, t->key_attnums[i]);
    tain_json_array_end(j);
    tain_json_key(j, "cols");
    tain_json_array(j);
    for (size_t i = 0; i < t->shape->count; i++) put_column(j, &t->shape->columns[i]);
    tain_json_array_end(j);
}

static void put_beside(tain_json *j, const tain_pg_beside *b)
{
    const uint32_t publication[] = {b->publication, b->altered, b->listed};
    if (b->leaf_count) {
        tain_json_key(j, "leaves");
        tain_json_array(j);
        for (size_t i = 0; i < b->leaf_count; i++) {
            tain_json_array(j);
            tain_json_int(j, b->leaves[i].oid);
            tain_json_int(j, b->leaves[i].filenode);
            tain_json_int(j, 1);
            tain_json_str(j, b->leaves[i].bounds);
            tain_json_array_end(j);
        }
        tain_json_array_end(j);
    }
    if (b->types && *b->types) tain_json_kstr(j, "types", b->types);
    if (b->policies && *b->policies) tain_json_kstr(j, "policies", b->policies);
    tain_json_key(j, "publication");
    tain_json_array(j);
    for (size_t i = 0; i < 3; i++) tain_json_int(j, publication[i]);
    tain_json_array_end(j);
}

static char *write_memo(const tain_pg_table *t)
{
    char letter[2] = {0};
    tain_buffer out = {0};
    tain_json j = {.out = &out};
    tain_json_object(&j);
    tain_json_kint(&j, "oid", t->oid);
    tain_json_kstr(&j, "kind", (*letter = t->kind, letter));
    tain_json_kint(&j, "file", t->filenode);
    tain_json_kstr(&j, "ident", (*letter = t->identity, letter));
    tain_json_kstr(&j, "schema", t->pub->schema);
    tain_json_kstr(&j, "name", t->pub->name);
    tain_json_kint(&j, "natts", t->shape->last_attnum);
    put_columns(&j, t);
    put_beside(&j, &t->settled);
    if (t->leaves && t->truncates > t->settled.truncates) tain_json_kint(&j, "truncates", (int64_t)(t->truncates - t->settled.truncates));
    if (t->as_of) tain_json_kstr(&j, "as_of", t->as_of);
    if (t->unseen) tain_json_kint(&j, "unseen", (int64_t)t->unseen);
    if (t->ahead_until) tain_json_kint(&j, "ahead", (int64_t)t->ahead_until);
    if (t->read_at) tain_json_kint(&j, "read", (int64_t)t->read_at);
    tain_json_object_end(&j);
    return tain_buffer_cstr(&out);
}

/* The old one stays: somebody may be looking at it. */
bool tain_pg_memo_renew(tain_pg_source *s, tain_pg_table *t)
{
    char *memo = write_memo(t);
    if (t->pub->memo && strcmp(t->pub->memo, memo) == 0) {
        tain_free(memo);
        return false;
    }
    tain_pg_keep_text(s, t->pub->memo);
    t->pub->memo = memo;
    return true;
}

/* --- what it was at positions of the stream -------------------------------------------------------------------------- */

/* What was before what is durable is not returned to. */
static void forget(const tain_pg_source *s, tain_pg_table *t)
{
    size_t past = 0;
    while (past + 1 < t->history_count && t->history[past + 1].since <= s->confirmed) past++;
    t->history_count -= past;
    memmove(t->history, t->history + past, t->history_count * sizeof *t->history);
}

void tain_pg_history_add(tain_pg_source *s, tain_pg_table *t, uint64_t since)
{
    if (t->history_count) forget(s, t);
    t->history = tain_realloc(t->history, (t->history_count + 1) * sizeof *t->history);
    t->history[t->history_count++] = (struct tain_pg_then){since, t->pub->memo};
}

tain_status tain_pg_history_return(tain_pg_source *s, tain_pg_table *t, uint64_t from, tain_error *err)
{
    size_t n = t->history_count;
    while (n > 1 && t->history[n - 1].since > from) n--;
    if (n == t->history_count) return TAIN_OK;
    t->history_count = n;
    return tain_pg_recall(&s->base, t->pub, t->history[n - 1].memo, err);
}

/* --- reading ------------------------------------------------------------------------------------------------------- */

static uint32_t oid_at(const json_t *array, size_t i) { return (uint32_t)json_integer_value(json_array_get(array, i)); }

static bool read_attribute(const json_t *c, tain_pg_attribute *ret)
{
    json_int_t flags = json_integer_value(json_array_get(c, 7));
    *ret = (tain_pg_attribute){
        .attnum = (int)json_integer_value(json_array_get(c, 0)), .name = json_string_value(json_array_get(c, 1)), .type_oid = oid_at(c, 2),
        .typmod = (int32_t)json_integer_value(json_array_get(c, 3)), .dimensions = (int)json_integer_value(json_array_get(c, 4)),
        .written = oid_at(c, 5), .missing = json_string_value(json_array_get(c, 6)),
        .generated = flags & GENERATED, .filled = flags & FILLED, .unsure = flags & UNSURE,
    };
    return ret->name && ret->attnum > 0 && ret->type_oid;
}

static tain_status load_types(tain_pg_source *s, const tain_pg_attribute *attributes, size_t n, tain_error *err)
{
    uint32_t *oids = tain_alloc((n + 1) * sizeof *oids);
    for (size_t i = 0; i < n; i++) oids[i] = attributes[i].type_oid;
    tain_status status = tain_pg_types_load(&s->types, &s->conn, oids, n, err);
    tain_free(oids);
    return status;
}

static tain_status read_shape(tain_pg_source *s, const json_t *d, tain_pg_now *ret, tain_error *err)
{
    const json_t *cols = json_object_get(d, "cols");
    size_t n = json_array_size(cols);
    tain_pg_attribute *attributes = tain_alloc((n + 1) * sizeof *attributes);
    tain_status status = TAIN_OK;
    for (size_t i = 0; i < n && status == TAIN_OK; i++)
        if (!read_attribute(json_array_get(cols, i), &attributes[i])) status = tain_fail(err, TAIN_E_CORRUPT, "a description of %s.%s is not of the form it should have", ret->schema, ret->name);
    if (status == TAIN_OK) status = load_types(s, attributes, n, err);
    char *full = tain_format("%s.%s", ret->schema, ret->name);
    if (status == TAIN_OK) ret->shape = tain_pg_shape_new(s, attributes, n, (int)tain_json_get_int(d, "natts", 0), full);
    tain_free(full);
    tain_free(attributes);
    return status;
}

/* What does not say that it is empty may have rows. */
static tain_pg_watched leaf_at(tain_pg_source *s, const json_t *one)
{
    return (tain_pg_watched){.oid = oid_at(one, 0), .filenode = oid_at(one, 1), .filled = json_array_size(one) < 3 || oid_at(one, 2),
                             .bounds = tain_pg_keep_once(s, json_string_value(json_array_get(one, 3)))};
}

static tain_pg_watched *read_leaves(tain_pg_source *s, const json_t *d, size_t *ret_count)
{
    const json_t *list = json_object_get(d, "leaves");
    size_t n = *ret_count = json_array_size(list);
    tain_pg_watched *leaves = tain_alloc((n + 1) * sizeof *leaves);
    for (size_t i = 0; i < n; i++) leaves[i] = leaf_at(s, json_array_get(list, i));
    return leaves;
}

tain_status tain_pg_now_read(tain_pg_source *s, const json_t *d, tain_pg_now *ret, tain_error *err)
{
    const json_t *key = json_object_get(d, "key");
    *ret = (tain_pg_now){
        .there = true, .schema = tain_strdup(tain_json_get_str(d, "schema", "")), .name = tain_strdup(tain_json_get_str(d, "name", "")),
        .filenode = (uint32_t)tain_json_get_int(d, "file", 0), .identity = *tain_json_get_str(d, "ident", "d"),
        .key_count = json_array_size(key), .as_of = tain_strdup(tain_json_get_str(d, "as_of", NULL)),
    };
    ret->key_attnums = tain_alloc((ret->key_count + 1) * sizeof *ret->key_attnums);
    for (size_t i = 0; i < ret->key_count; i++) ret->key_attnums[i] = (int16_t)oid_at(key, i);
    ret->leaves = read_leaves(s, d, &ret->leaf_count);
    return read_shape(s, d, ret, err);
}

/* --- recalling ----------------------------------------------------------------------------------------------------- */

static void recall_beside(tain_pg_table *t, const json_t *d, tain_pg_now *now)
{
    const json_t *p = json_object_get(d, "publication");
    tain_pg_beside was = {
        .leaves = now->leaves, .leaf_count = now->leaf_count, .types = tain_strdup(tain_json_get_str(d, "types", "")),
        .policies = tain_strdup(tain_json_get_str(d, "policies", "")),
        .publication = oid_at(p, 0), .altered = oid_at(p, 1), .listed = oid_at(p, 2),
    };
    now->leaves = NULL;
    tain_pg_beside_copy(&t->looked, &was);
    tain_pg_beside_copy(&t->settled, &was);
    tain_pg_beside_done(&was);
}

static tain_status recall(tain_pg_source *s, tain_pg_table *t, const json_t *d, tain_error *err)
{
    if (tain_json_get_int(d, "oid", 0) != t->oid) return tain_fail(err, TAIN_E_CONFLICT, "the note is of another table than %s.%s", t->pub->schema, t->pub->name);
    tain_pg_now now = {0};
    TAIN_TRY(tain_pg_catalog_conn(s, err));
    tain_status status = tain_pg_now_read(s, d, &now, err);
    if (status == TAIN_OK && now.shape->count == 0) status = tain_fail(err, TAIN_E_CORRUPT, "the note of %s.%s has no columns", t->pub->schema, t->pub->name);
    if (status == TAIN_OK) {
        t->textual_now = t->shape->textual;
        recall_beside(t, d, &now);
        tain_pg_table_adopt(s, t, &now);
        t->unseen = (uint64_t)tain_json_get_int(d, "unseen", 0);
        t->ahead_until = (uint64_t)tain_json_get_int(d, "ahead", 0);
        t->read_at = (uint64_t)tain_json_get_int(d, "read", 0);
        t->truncates = (uint64_t)tain_json_get_int(d, "truncates", 0);
        t->recalled = true;
        (void)tain_pg_memo_renew(s, t);
    }
    tain_pg_now_done(&now);
    return status;
}

tain_status tain_pg_recall(tain_source *base, tain_source_table *table, const char *memo, tain_error *err)
{
    tain_pg_source *s = (tain_pg_source *)base;
    tain_pg_table *t = tain_pg_table_of(s, table);
    json_t *d = NULL;
    if (!memo || !t || !t->shape) return TAIN_OK;
    TAIN_TRY(tain_json_parse(memo, strlen(memo), "note", &d, err));
    tain_status status = recall(s, t, d, err);
    json_decref(d);
    return status;
}
