/* SPDX-License-Identifier: MIT */
/* Which rows a partition has, from the bounds that the catalog tells: "FOR VALUES FROM (...) TO (...)", "FOR VALUES IN (...)".
 *
 * bounds: one entry for each level between the partition and its root, [["r", [attnum, ...], "FOR VALUES ..."], ...]. */
#include "source/postgres/postgres.h"

#include "base/json.h"

enum { COLUMNS_MOST = 32 }; /* of a partition key, says the server */

typedef struct level {
    uint16_t             columns[COLUMNS_MOST];
    const tain_pg_codec *codecs[COLUMNS_MOST];
    size_t               count;
} level;

/* --- values -------------------------------------------------------------------------------------------------------- */

static bool take(const char **p, const char *word)
{
    size_t n = strlen(word);
    if (strncmp(*p, word, n) != 0) return false;
    *p += n;
    return true;
}

/* 'it''s' without its quotes. */
static bool take_quoted(const char **p, tain_buffer *out)
{
    if (!take(p, "'")) return false;
    for (; **p; ++*p) {
        if (**p == '\'' && *++*p != '\'') return true;
        tain_buffer_append(out, *p, 1);
    }
    return false;
}

/* A boolean's text is one letter everywhere else. */
static void take_plain(const char **p, tain_buffer *out)
{
    size_t n = strcspn(*p, ",)");
    bool word = strncmp(*p, "true", n) == 0 || strncmp(*p, "false", n) == 0;
    tain_buffer_append(out, *p, word ? 1 : n);
    *p += n;
}

/* False: a value that is not exactly in the column's type, or not to be read here. */
static bool append_literal(const char **p, const tain_pg_codec *codec, tain_column *out)
{
    TAIN_AUTO(tain_buffer_done) tain_buffer text = {0};
    if (**p != '\'') take_plain(p, &text);
    else if (!take_quoted(p, &text)) return false;
    return codec->text(codec, out, text.data, text.size) == TAIN_PG_FINE;
}

static bool append_value(const char **p, const tain_pg_codec *codec, tain_column *out, int8_t *ret_open)
{
    *ret_open = take(p, "MINVALUE") ? -1 : take(p, "MAXVALUE") ? 1 : 0;
    if (!*ret_open && !take(p, "NULL")) return append_literal(p, codec, out);
    tain_column_append_null(out);
    return true;
}

/* --- bounds -------------------------------------------------------------------------------------------------------- */

static bool read_end(const char **p, const level *v, tain_bound *b, size_t end)
{
    for (size_t i = 0; i < v->count; i++) {
        if (!take(p, i ? ", " : "(") || !append_value(p, v->codecs[i], &b->values.columns[i], &b->open[end * v->count + i])) return false;
    }
    tain_batch_end_row(&b->values);
    return take(p, ")");
}

static bool read_range(const char *text, const level *v, tain_bound *b)
{
    return take(&text, "FOR VALUES FROM ") && read_end(&text, v, b, 0) && take(&text, " TO ") && read_end(&text, v, b, 1) && !*text;
}

static bool read_list(const char *text, const level *v, tain_bound *b)
{
    int8_t open;
    if (!take(&text, "FOR VALUES IN (")) return false;
    do {
        if (!append_value(&text, v->codecs[0], &b->values.columns[0], &open) || open) return false;
        tain_batch_end_row(&b->values);
    } while (take(&text, ", "));
    return strcmp(text, ")") == 0;
}

/* --- columns ------------------------------------------------------------------------------------------------------- */

/* Whether what is in the lake is in the server's order (range), or tells equal values from others. */
static bool compares_alike(const tain_pg_codec *c, bool list)
{
    switch (c->pg->oid) {
    case TAIN_PG_BOOL:
    case TAIN_PG_INT2:
    case TAIN_PG_INT4:
    case TAIN_PG_INT8:
    case TAIN_PG_DATE:
    case TAIN_PG_TIMESTAMP:
    case TAIN_PG_TIMESTAMPTZ: return c->type.kind != TAIN_STRING;
    case TAIN_PG_NUMERIC: return c->type.kind == TAIN_DECIMAL;
    case TAIN_PG_UUID: return c->type.kind == TAIN_STRING;
    case TAIN_PG_TEXT:
    case TAIN_PG_VARCHAR: return list;
    default: return list && c->pg->kind == 'e' && c->type.kind == TAIN_STRING;
    }
}

static bool is_key(const tain_pg_table *t, int attnum)
{
    for (size_t i = 0; i < t->key_count; i++)
        if (t->key_attnums[i] == attnum) return true;
    return false;
}

static bool read_columns(const tain_pg_table *t, const json_t *attnums, bool list, tain_region *r, level *v)
{
    v->count = json_array_size(attnums);
    if (v->count == 0 || v->count > COLUMNS_MOST || (list && v->count > 1)) return false;
    for (size_t i = 0; i < v->count; i++) {
        int attnum = (int)json_integer_value(json_array_get(attnums, i)), at = attnum ? tain_pg_shape_index(t->shape, attnum) : -1;
        if (at < 0) return false;
        v->codecs[i] = t->shape->columns[at].codec;
        v->columns[i] = tain_region_column(r, (uint16_t)at);
        bool replaced = v->codecs[i]->limited && !is_key(t, attnum); /* other values may be in its place */
        if (replaced || !compares_alike(v->codecs[i], list)) return false;
    }
    return true;
}

static bool read_level(const tain_pg_table *t, const json_t *one, tain_region *r)
{
    level v;
    tain_type types[COLUMNS_MOST];
    const char *strategy = json_string_value(json_array_get(one, 0)), *text = json_string_value(json_array_get(one, 2));
    bool list = strategy && *strategy == 'l';
    if (!text || !strategy || (!list && *strategy != 'r') || !read_columns(t, json_array_get(one, 1), list, r, &v)) return false;
    for (size_t i = 0; i < v.count; i++) types[i] = v.codecs[i]->type;
    tain_bound *b = tain_region_add(r, list, v.columns, types, v.count);
    return list ? read_list(text, &v, b) : read_range(text, &v, b);
}

/* --- the whole ----------------------------------------------------------------------------------------------------- */

static void keep(tain_pg_source *s, tain_region *r)
{
    s->regions = tain_realloc(s->regions, (s->region_count + 1) * sizeof(tain_region *));
    s->regions[s->region_count++] = r;
}

const tain_region *tain_pg_partition_region(tain_pg_source *s, const tain_pg_table *t, const char *bounds)
{
    json_t *levels = NULL, *one;
    size_t i;
    if (!bounds || !t->shape || tain_json_parse(bounds, strlen(bounds), "bounds", &levels, NULL) != TAIN_OK) return NULL;
    tain_region *r = tain_alloc(sizeof *r);
    bool good = json_array_size(levels) > 0;
    json_array_foreach(levels, i, one) good = good && read_level(t, one, r);
    json_decref(levels);
    keep(s, r);
    return good ? r : NULL;
}
