/* SPDX-License-Identifier: MIT */
/* What the definition says of values that have no exact counterpart: README.md has the meaning. */
#include "source/postgres/postgres.h"

#include <stdio.h>
#include <stdlib.h>

static bool parse_decimal(const char *text, tain_pg_policy *p)
{
    unsigned precision, scale;
    int used = 0;
    if (sscanf(text, "decimal(%2u,%2u)%n", &precision, &scale, &used) != 2 || text[used] || precision < 1 || precision > 38 || scale > precision)
        return false;
    p->numeric = TAIN_PG_NUMERIC_DECIMAL;
    p->precision = (uint8_t)precision;
    p->scale = (uint8_t)scale;
    return true;
}

static bool take_numeric(const char *v, tain_pg_policy *p)
{
    if (strcmp(v, "string") == 0) p->numeric = TAIN_PG_NUMERIC_TEXT;
    else if (strcmp(v, "double") == 0) p->numeric = TAIN_PG_NUMERIC_DOUBLE;
    else return parse_decimal(v, p);
    return true;
}

static bool take_ntz(const char *v, tain_pg_policy *p)
{
    p->zoned = strcmp(v, "timestamp") == 0;
    return p->zoned || strcmp(v, "timestamp_ntz") == 0;
}

static bool take_range(const char *v, tain_pg_policy *p)
{
    static const char *const names[] = {[TAIN_PG_RANGE_NULL] = "null", [TAIN_PG_RANGE_CLAMP] = "clamp", [TAIN_PG_RANGE_ERROR] = "error", [TAIN_PG_RANGE_STRING] = "string"};
    for (unsigned i = 0; i < sizeof names / sizeof *names; i++) {
        if (strcmp(v, names[i])) continue;
        p->range = (tain_pg_range)i;
        return true;
    }
    return false;
}

static const struct {
    const char *key;
    bool (*take)(const char *, tain_pg_policy *);
    const char *values;
} policy_keys[] = {
    {"numeric", take_numeric, "string, double or decimal(p,s)"},
    {"ntz", take_ntz, "timestamp_ntz or timestamp"},
    {"out_of_range", take_range, "null, clamp, error or string"},
};

static void take_policies(const json_t *object, tain_pg_policy *p)
{
    for (size_t i = 0; i < sizeof policy_keys / sizeof *policy_keys; i++) {
        const char *v = json_string_value(json_object_get(object, policy_keys[i].key));
        if (v) (void)policy_keys[i].take(v, p);
    }
}

tain_pg_policy tain_pg_policy_for(const tain_pg_source *s, const char *table, const char *column)
{
    tain_pg_policy p = {0};
    take_policies(s->options.policies, &p);
    take_policies(tain_policies_of_column(s->options.policies, table, column), &p);
    return p;
}

static const tain_pg_type *innermost(const tain_pg_type *type)
{
    const tain_pg_type *of = type->is_array && type->element ? type->element : type;
    while (of->base) of = of->base;
    return of->is_array && of->element ? innermost(of) : of;
}

/* Whether policies decide what becomes of values of the type. */
static bool concerns(const tain_pg_type *type)
{
    const tain_pg_type *of = type->is_array && type->element ? type->element : type;
    while (of->base) of = of->base;
    return type->is_array || of->oid == TAIN_PG_NUMERIC || of->oid == TAIN_PG_DATE || of->oid == TAIN_PG_TIMESTAMP || of->oid == TAIN_PG_TIMESTAMPTZ;
}

/* Where there are none, another policy for them changes nothing. */
static bool has_moments(const tain_pg_shape *shape)
{
    bool any = false;
    for (size_t i = 0; i < shape->count; i++) any = any || innermost(shape->columns[i].codec->pg)->oid == TAIN_PG_TIMESTAMP;
    return any;
}

static bool concern(const tain_pg_shape *shape)
{
    for (size_t i = 0; i < shape->count; i++)
        if (concerns(shape->columns[i].codec->pg)) return true;
    return false;
}

static void copy_known(const json_t *from, json_t *to)
{
    for (size_t i = 0; i < sizeof policy_keys / sizeof *policy_keys; i++) {
        json_t *v = json_object_get(from, policy_keys[i].key);
        if (v) (void)json_object_set(to, policy_keys[i].key, v);
    }
}

char *tain_pg_policies_of(const tain_pg_source *s, const char *schema, const char *name, const tain_pg_shape *shape)
{
    if (!concern(shape)) return tain_strdup("");
    json_t *all = json_object(), *own = json_object();
    TAIN_AUTO(tain_free) char *table = tain_format("%s.%s", schema, name);
    copy_known(s->options.policies, all);
    if (!has_moments(shape)) json_object_del(all, "ntz");
    for (size_t i = 0; json_object_get(s->options.policies, "columns") && i < shape->count; i++) {
        const json_t *v = tain_policies_of_column(s->options.policies, table, shape->columns[i].name);
        if (!v) continue;
        json_t *known = json_object();
        copy_known(v, known);
        (void)json_object_set_new(own, shape->columns[i].name, known);
    }
    (void)json_object_set_new(all, "columns", own);
    char *dumped = json_dumps(all, JSON_COMPACT | JSON_SORT_KEYS), *text = tain_strdup(dumped);
    free(dumped);
    json_decref(all);
    return text;
}

static tain_status check_object(const json_t *object, tain_error *err)
{
    for (size_t i = 0; i < sizeof policy_keys / sizeof *policy_keys; i++) {
        const json_t *v = json_object_get(object, policy_keys[i].key);
        if (!v || (json_is_string(v) && policy_keys[i].take(json_string_value(v), &(tain_pg_policy){0}))) continue;
        return tain_fail(err, TAIN_E_CONFIG, "policy %s: must be %s", policy_keys[i].key, policy_keys[i].values);
    }
    return TAIN_OK;
}

tain_status tain_pg_policy_check(const json_t *policies, tain_error *err)
{
    return tain_policies_check(policies, check_object, err);
}
