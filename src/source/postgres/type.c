/* SPDX-License-Identifier: MIT */
#include "source/postgres/type.h"

#include <stdlib.h>

#include "source/postgres/result.h"
#include "postgres_queries.h"

enum { FIRST_USER_OID = 16384 };

/* --- reading ------------------------------------------------------------------------------------------------------- */

void tain_pg_types_done(tain_pg_types *t)
{
    tain_free(t->list);
    tain_arena_done(&t->arena);
    *t = (tain_pg_types){0};
}

static tain_pg_type *find(const tain_pg_types *t, uint32_t oid)
{
    for (size_t i = 0; i < t->count; i++)
        if (t->list[i]->oid == oid) return t->list[i];
    return NULL;
}

const tain_pg_type *tain_pg_types_find(const tain_pg_types *t, uint32_t oid) { return find(t, oid); }

static char *keep(tain_pg_types *t, const char *s) { return tain_arena_strndup(&t->arena, s, strlen(s)); }

static void add_type(tain_pg_types *t, const PGresult *r, int row)
{
    if (t->count == t->capacity) t->list = tain_realloc(t->list, (t->capacity = t->capacity * 2 + 64) * sizeof *t->list);
    tain_pg_type *type = t->list[t->count++] = tain_arena_alloc(&t->arena, sizeof *type);
    type->oid = tain_pg_get_oid(r, row, "oid");
    type->schema = keep(t, tain_pg_get(r, row, "nspname"));
    type->name = keep(t, tain_pg_get(r, row, "typname"));
    type->kind = *tain_pg_get(r, row, "typtype");
    type->delimiter = *tain_pg_get(r, row, "typdelim");
    type->is_array = tain_pg_get_bool(r, row, "is_array");
    type->element_oid = type->is_array ? tain_pg_get_oid(r, row, "typelem") : 0;
    type->base_oid = tain_pg_get_oid(r, row, "typbasetype");
    type->base_typmod = (int32_t)tain_pg_get_int(r, row, "typtypmod");
    type->base_dimensions = (int32_t)tain_pg_get_int(r, row, "typndims");
    type->relation_oid = tain_pg_get_oid(r, row, "typrelid");
    type->out_schema = keep(t, tain_pg_get(r, row, "out_schema"));
    type->out_name = keep(t, tain_pg_get(r, row, "out_name"));
    type->send_name = keep(t, tain_pg_get(r, row, "send_name"));
}

static tain_status ask(tain_pg_conn *conn, const char *sql, const uint32_t *oids, size_t n, PGresult **ret, tain_error *err)
{
    TAIN_AUTO(tain_buffer_done) tain_buffer list = {0};
    tain_pg_put_oids(&list, oids, n);
    return tain_pg_query_params(conn, sql, 1, (const char *[]){tain_buffer_cstr(&list)}, ret, err);
}

static void take_labels(tain_pg_types *t, const PGresult *labels, int first, int n)
{
    tain_pg_type *owner = find(t, tain_pg_get_oid(labels, first, "oid"));
    if (!owner) return;
    owner->labels = tain_arena_alloc(&t->arena, (size_t)n * sizeof *owner->labels);
    for (int i = 0; i < n; i++) owner->labels[i] = keep(t, tain_pg_get(labels, first + i, "enumlabel"));
    owner->label_count = (size_t)n;
}

static tain_status load_types(tain_pg_types *t, tain_pg_conn *conn, const uint32_t *oids, size_t n, tain_error *err)
{
    TAIN_PG_RESULT *types = NULL, *fields = NULL, *labels = NULL;
    TAIN_TRY(ask(conn, tain_query_types, oids, n, &types, err));
    TAIN_TRY(ask(conn, tain_query_fields, oids, n, &fields, err));
    TAIN_TRY(ask(conn, tain_query_labels, oids, n, &labels, err));
    for (int i = 0; i < PQntuples(types); i++) add_type(t, types, i);
    for (int row = 0, of; row < PQntuples(labels); row += of) {
        of = tain_pg_rows_of(labels, row, "oid");
        take_labels(t, labels, row, of);
    }
    for (int i = 0; i < PQntuples(fields); i++) {
        tain_pg_type *owner = find(t, tain_pg_get_oid(fields, i, "oid"));
        if (!owner) continue;
        typeof(owner->fields) grown = tain_arena_alloc(&t->arena, (owner->field_count + 1) * sizeof *grown);
        if (owner->field_count) memcpy(grown, owner->fields, owner->field_count * sizeof *grown);
        grown[owner->field_count].name = keep(t, tain_pg_get(fields, i, "attname"));
        grown[owner->field_count++].type_oid = tain_pg_get_oid(fields, i, "atttypid");
        owner->fields = grown;
    }
    return TAIN_OK;
}

typedef struct oid_list { uint32_t *at; size_t count, capacity; } oid_list;

static void want(oid_list *l, const tain_pg_types *t, uint32_t oid)
{
    if (oid == 0 || find(t, oid)) return;
    for (size_t i = 0; i < l->count; i++)
        if (l->at[i] == oid) return;
    if (l->count == l->capacity) l->at = tain_realloc(l->at, (l->capacity = l->capacity * 2 + 64) * sizeof *l->at);
    l->at[l->count++] = oid;
}

static void want_parts(oid_list *l, const tain_pg_types *t)
{
    for (size_t i = 0; i < t->count; i++) {
        want(l, t, t->list[i]->element_oid);
        want(l, t, t->list[i]->base_oid);
        for (size_t k = 0; k < t->list[i]->field_count; k++) want(l, t, t->list[i]->fields[k].type_oid);
    }
}

static void connect_parts(tain_pg_types *t)
{
    for (size_t i = 0; i < t->count; i++) {
        tain_pg_type *type = t->list[i];
        if (type->complete) continue;
        type->element = find(t, type->element_oid);
        type->base = find(t, type->base_oid);
        for (size_t k = 0; k < type->field_count; k++) type->fields[k].type = find(t, type->fields[k].type_oid);
        type->complete = true;
    }
}

tain_status tain_pg_types_load(tain_pg_types *t, tain_pg_conn *conn, const uint32_t *oids, size_t n, tain_error *err)
{
    oid_list wanted = {0};
    tain_status status = TAIN_OK;
    t->version = conn->version;
    for (size_t i = 0; i < n; i++) want(&wanted, t, oids[i]);
    want_parts(&wanted, t);
    while (wanted.count && status == TAIN_OK) {
        size_t before = t->count;
        status = load_types(t, conn, wanted.at, wanted.count, err);
        if (status == TAIN_OK && t->count - before < wanted.count)
            status = tain_fail(err, TAIN_E_CONFLICT, "PostgreSQL at %s: a type vanished while the catalog was read", conn->target->where);
        wanted.count = 0;
        want_parts(&wanted, t);
    }
    tain_free(wanted.at);
    connect_parts(t);
    return status;
}

/* Those that are gone meanwhile stay unknown. */
tain_status tain_pg_types_renew(tain_pg_types *t, tain_pg_conn *conn, tain_error *err)
{
    oid_list users = {0};
    size_t kept = 0;
    for (size_t i = 0; i < t->count; i++) {
        uint32_t oid = t->list[i]->oid;
        if (oid < FIRST_USER_OID) t->list[kept++] = t->list[i];
        else want(&users, &(tain_pg_types){0}, oid);
    }
    t->count = kept;
    tain_status status = users.count ? load_types(t, conn, users.at, users.count, err) : TAIN_OK;
    if (status == TAIN_OK) status = tain_pg_types_load(t, conn, NULL, 0, err);
    tain_free(users.at);
    return status;
}

bool tain_pg_type_is_hstore(const tain_pg_type *t) { return t->kind == 'b' && strcmp(t->out_name, "hstore_out") == 0; }

/* --- choosing ------------------------------------------------------------------------------------------------------ */

typedef struct choice { /* where a codec is being chosen */
    tain_pg_types        *types;
    const tain_pg_policy *policy;
    bool                  check_utf8;
    tain_schema          *schema;
    int32_t               typmod;
    int                   dimensions;
} choice;

static const tain_pg_type *look_through(const tain_pg_type *type, int32_t *io_typmod, int *io_dimensions)
{
    for (; type->kind == 'd' && type->base; type = type->base) {
        if (*io_typmod < 0) *io_typmod = type->base_typmod;
        if (*io_dimensions == 0) *io_dimensions = type->base_dimensions;
    }
    return type;
}

static void choose_string(const choice *at, tain_pg_codec *c, tain_pg_decode binary)
{
    tain_pg_decode copied = at->check_utf8 ? tain_pg_checked_text : tain_pg_bytes_binary;
    c->type = tain_type_of(TAIN_STRING);
    c->binary = binary == tain_pg_bytes_binary ? copied : binary;
    c->text = copied;
    c->ask = binary ? TAIN_PG_ASK_BINARY : TAIN_PG_ASK_TEXT;
}

static void choose(tain_pg_codec *c, tain_kind kind, tain_pg_decode binary, tain_pg_decode text)
{
    c->type = tain_type_of(kind);
    c->binary = binary;
    c->text = text;
}

static void choose_canonical(const choice *at, tain_pg_codec *c, tain_pg_decode binary)
{
    choose_string(at, c, binary);
    c->as_text = true;
}

/* Policy: what can hold values that Delta cannot is text. */
static bool is_string(const choice *at) { return at->policy->range == TAIN_PG_RANGE_STRING; }

static void choose_moment(const choice *at, tain_pg_codec *c, tain_kind kind, tain_pg_decode binary, tain_pg_decode text)
{
    c->limited = !is_string(at);
    if (is_string(at)) choose_canonical(at, c, NULL);
    else choose(c, kind, binary, text);
}

static bool decimal_of(int32_t typmod, tain_type *ret)
{
    if (typmod < 4) return false;
    int precision = (typmod - 4) >> 16 & 0xffff, scale = (((typmod - 4) & 0x7ff) ^ 1024) - 1024;
    if (scale < 0) precision -= scale, scale = 0;
    if (scale > precision) precision = scale;
    if (precision > 38) return false;
    *ret = tain_type_decimal((unsigned)precision, (unsigned)scale);
    return true;
}

static void choose_numeric(const choice *at, tain_pg_codec *c)
{
    tain_type decimal;
    bool declared = decimal_of(at->typmod, &decimal);
    if (!declared && at->policy->numeric == TAIN_PG_NUMERIC_DOUBLE) {
        choose(c, TAIN_DOUBLE, tain_pg_numeric_double_binary, tain_pg_numeric_double_text);
        return;
    }
    if (is_string(at) || (!declared && at->policy->numeric == TAIN_PG_NUMERIC_TEXT)) {
        choose_canonical(at, c, tain_pg_numeric_text_binary);
        return;
    }
    if (!declared) decimal = tain_type_decimal(at->policy->precision, at->policy->scale);
    choose(c, TAIN_DECIMAL, decimal.precision <= 18 ? tain_pg_decimal64_binary : tain_pg_decimal128_binary, tain_pg_decimal_text);
    c->type = decimal;
    c->limited = true;
}

/* Types that have no number of their own, by the function that sends them. NULL: it is asked for as text. */
static tain_pg_decode binary_by_sender(const tain_pg_type *type)
{
    static const struct { const char *name; tain_pg_decode decode; } known[] = {
        {"textsend", tain_pg_bytes_binary},   {"varcharsend", tain_pg_bytes_binary}, {"bpcharsend", tain_pg_bytes_binary}, {"namesend", tain_pg_bytes_binary},
        {"citextsend", tain_pg_bytes_binary}, {"enum_send", tain_pg_bytes_binary},   {"json_send", tain_pg_bytes_binary},  {"geometry_send", tain_pg_hex_binary},
        {"geography_send", tain_pg_hex_binary}, {"ltree_send", tain_pg_versioned_binary}, {"lquery_send", tain_pg_versioned_binary}, {"ltxtq_send", tain_pg_versioned_binary},
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strcmp(type->send_name, known[i].name) == 0) return known[i].decode;
    return NULL;
}

static bool is_plain_text(uint32_t oid)
{
    return oid == TAIN_PG_TEXT || oid == TAIN_PG_VARCHAR || oid == TAIN_PG_BPCHAR || oid == TAIN_PG_NAME || oid == TAIN_PG_CHAR;
}

static void choose_named(const choice *at, tain_pg_codec *c)
{
    if (is_plain_text(c->pg->oid)) choose_string(at, c, tain_pg_bytes_binary);
    else choose_canonical(at, c, binary_by_sender(c->pg));
    if (strcmp(c->pg->name, "citext") == 0) c->as_text = false;
}

static void choose_scalar(const choice *at, tain_pg_codec *c)
{
    switch (c->pg->oid) {
    case TAIN_PG_BOOL: choose(c, TAIN_BOOL, tain_pg_bool_binary, tain_pg_bool_text); break;
    case TAIN_PG_INT2: choose(c, TAIN_INT16, tain_pg_int16_binary, tain_pg_int16_text); break;
    case TAIN_PG_INT4: choose(c, TAIN_INT32, tain_pg_int32_binary, tain_pg_int32_text); break;
    case TAIN_PG_INT8: choose(c, TAIN_INT64, tain_pg_int64_binary, tain_pg_int64_text); break;
    case TAIN_PG_OID:
    case TAIN_PG_XID:
    case TAIN_PG_CID: choose(c, TAIN_INT64, tain_pg_uint32_binary, tain_pg_int64_text); break;
    case TAIN_PG_XID8:
        choose(c, TAIN_DECIMAL, tain_pg_uint64_binary, tain_pg_uint64_text);
        c->type = tain_type_decimal(20, 0);
        break;
    case TAIN_PG_FLOAT4: choose(c, TAIN_FLOAT, tain_pg_float_binary, tain_pg_float_text); break;
    case TAIN_PG_FLOAT8: choose(c, TAIN_DOUBLE, tain_pg_double_binary, tain_pg_double_text); break;
    case TAIN_PG_NUMERIC: choose_numeric(at, c); break;
    case TAIN_PG_BYTEA: choose(c, TAIN_BINARY, tain_pg_bytes_binary, tain_pg_bytea_text); break;
    case TAIN_PG_CHAR: choose(c, TAIN_STRING, tain_pg_char_binary, tain_pg_char_text); break;
    case TAIN_PG_DATE: choose_moment(at, c, TAIN_DATE, tain_pg_date_binary, tain_pg_date_text); break;
    case TAIN_PG_TIMESTAMP:
        choose_moment(at, c, at->policy->zoned ? TAIN_TIMESTAMP : TAIN_TIMESTAMP_NTZ, tain_pg_timestamp_binary, tain_pg_timestamp_text);
        break;
    case TAIN_PG_TIMESTAMPTZ: choose_moment(at, c, TAIN_TIMESTAMP, tain_pg_timestamp_binary, tain_pg_timestamp_text); break;
    case TAIN_PG_TIME: choose_canonical(at, c, tain_pg_time_binary); break;
    case TAIN_PG_TIMETZ: choose_canonical(at, c, tain_pg_timetz_binary); break;
    case TAIN_PG_INTERVAL: choose_canonical(at, c, at->types->version < 170000 ? tain_pg_finite_interval_binary : tain_pg_interval_binary); break;
    case TAIN_PG_UUID: choose_canonical(at, c, tain_pg_uuid_binary); break;
    case TAIN_PG_INET:
    case TAIN_PG_CIDR: choose_canonical(at, c, tain_pg_inet_binary); break;
    case TAIN_PG_MACADDR:
    case TAIN_PG_MACADDR8: choose_canonical(at, c, tain_pg_macaddr_binary); break;
    case TAIN_PG_BIT:
    case TAIN_PG_VARBIT: choose_canonical(at, c, tain_pg_bits_binary); break;
    case TAIN_PG_LSN: choose_canonical(at, c, tain_pg_lsn_binary); break;
    case TAIN_PG_MONEY: choose_canonical(at, c, tain_pg_money_binary); break;
    case TAIN_PG_JSONB:
    case TAIN_PG_JSONPATH: choose_canonical(at, c, tain_pg_versioned_binary); break;
    default: choose_named(at, c);
    }
}

static void choose_json(const choice *at, tain_pg_codec *c)
{
    choose(c, TAIN_STRING, NULL, at->check_utf8 ? tain_pg_checked_json_text : tain_pg_json_text);
    c->ask = TAIN_PG_ASK_TEXT;
    c->as_text = true;
}

static void choose_vector(const choice *at, tain_pg_codec *c, tain_pg_decode binary)
{
    choose(c, TAIN_LIST, binary, tain_pg_vector_text);
    c->ask = binary ? TAIN_PG_ASK_BINARY : TAIN_PG_ASK_TEXT;
    c->type = tain_type_list(at->schema, tain_type_of(TAIN_FLOAT));
}

static bool is_json(const tain_pg_type *type) { return type->kind == 'c' || tain_pg_type_is_hstore(type); }

static const tain_pg_codec *new_codec(const choice *at, const tain_pg_type *type);

static void choose_list(const choice *at, tain_pg_codec *c)
{
    int32_t typmod = at->typmod;
    int dimensions = at->dimensions;
    const tain_pg_type *element = look_through(c->pg->element, &typmod, &dimensions);
    choice inner = *at;
    inner.typmod = typmod;
    c->element = is_json(element) || element->is_array ? NULL : new_codec(&inner, element);
    if (at->dimensions > 1 || is_string(at) || !c->element || c->element->type.kind == TAIN_LIST) {
        choose_json(at, c);
        return;
    }
    c->type = tain_type_list(at->schema, c->element->type);
    c->binary = c->element->binary ? tain_pg_array_binary : NULL;
    c->text = tain_pg_array_text;
    c->ask = c->element->binary ? TAIN_PG_ASK_BINARY : TAIN_PG_ASK_TEXT;
    c->limited = c->element->limited;
    c->as_text = c->element->as_text;
    c->delimiter = c->pg->delimiter;
}

static const tain_pg_codec *new_codec(const choice *at, const tain_pg_type *type)
{
    tain_pg_codec *c = tain_arena_alloc(&at->types->arena, sizeof *c);
    *c = (tain_pg_codec){.pg = type, .range = at->policy->range, .delimiter = ','};
    if (type->is_array && type->element) choose_list(at, c);
    else if (is_json(type)) choose_json(at, c);
    else if (strcmp(type->send_name, "vector_send") == 0) choose_vector(at, c, tain_pg_vector_binary);
    else if (strcmp(type->send_name, "halfvec_send") == 0) choose_vector(at, c, NULL);
    else choose_scalar(at, c);
    c->copy = c->ask == TAIN_PG_ASK_BINARY ? c->binary : c->text;
    return c;
}

bool tain_pg_codec_is_json(const tain_pg_codec *c) { return c->text == tain_pg_json_text || c->text == tain_pg_checked_json_text; }

const tain_pg_codec *tain_pg_codec_for_key(const tain_pg_codec *c, tain_arena *arena)
{
    tain_pg_codec *key = tain_arena_alloc(arena, sizeof *key);
    *key = *c;
    key->key = true;
    if (key->element) key->element = tain_pg_codec_for_key(key->element, arena);
    return key;
}

const tain_pg_codec *tain_pg_codec_for(tain_pg_types *t, uint32_t oid, int32_t typmod, int dimensions, const tain_pg_policy *policy,
                                       bool check_utf8, tain_schema *schema)
{
    choice at = {.types = t, .policy = policy, .check_utf8 = check_utf8, .schema = schema, .typmod = typmod, .dimensions = dimensions};
    const tain_pg_type *type = look_through(find(t, oid), &at.typmod, &at.dimensions);
    return new_codec(&at, type);
}
