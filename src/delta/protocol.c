/* SPDX-License-Identifier: MIT */
#include "delta/internal.h"

typedef struct feature {
    const char *name;
    bool        reader;                       /* listed for readers too */
    uint8_t     legacy_reader, legacy_writer; /* implied by these versions, 0: by none */
    bool        goes;                         /* taken away once nothing needs it, where that is asked for */
} feature;

/* Those we can read. A table may be written when none of them is in use in a way we would have to act on. */
static const feature known[] = {
    {"deletionVectors", true, 0, 0, true}, {"appendOnly", false, 0, 2},
    {"invariants", false, 0, 2},         {"checkConstraints", false, 0, 3},
    {"changeDataFeed", false, 0, 4},     {"generatedColumns", false, 0, 4},
    {"columnMapping", true, 2, 5},       {"identityColumns", false, 0, 6},
    {"timestampNtz", true, 0, 0, true},  {"vacuumProtocolCheck", true, 0, 0},
    {"inCommitTimestamp", false, 0, 0},  {"domainMetadata", false, 0, 0},
    {"allowColumnDefaults", false, 0, 0}, {"checkpointProtection", false, 0, 0},
    {"clustering", false, 0, 0},         {"variantType", true, 0, 0}, /* a column of it is what is not known */
};
enum { KNOWN = sizeof known / sizeof *known };

static const feature *find(const char *name)
{
    for (size_t i = 0; i < KNOWN; i++)
        if (strcmp(known[i].name, name) == 0) return &known[i];
    return NULL;
}

void tain_protocol_done(tain_protocol *p)
{
    json_decref(p->reader_features);
    json_decref(p->writer_features);
    *p = (tain_protocol){0};
}

/* The list that a version demands. */
static tain_status feature_list(const json_t *o, const char *key, bool demanded, json_t **ret, tain_error *err)
{
    json_t *list = json_object_get(o, key), *item;
    size_t  i;
    if (!demanded) return TAIN_OK;
    if (!json_is_array(list)) return tain_fail(err, TAIN_E_CORRUPT, "protocol without %s", key);
    json_array_foreach(list, i, item)
        if (!json_is_string(item)) return tain_fail(err, TAIN_E_CORRUPT, "protocol with a %s entry that is no text", key);
    *ret = json_incref(list);
    return TAIN_OK;
}

tain_status tain_protocol_from_json(const json_t *o, tain_protocol *ret, tain_error *err)
{
    int64_t reader = tain_json_get_int(o, "minReaderVersion", 0), writer = tain_json_get_int(o, "minWriterVersion", 0);
    if (reader < 1 || writer < 1) return tain_fail(err, TAIN_E_CORRUPT, "protocol without versions");
    tain_protocol p = {.reader = reader > 99 ? 99 : (int)reader, .writer = writer > 99 ? 99 : (int)writer};
    tain_status   st = feature_list(o, "readerFeatures", reader == 3, &p.reader_features, err);
    if (st == TAIN_OK) st = feature_list(o, "writerFeatures", writer == 7 && reader <= 3, &p.writer_features, err);
    if (st != TAIN_OK) tain_protocol_done(&p);
    else *ret = p;
    return st;
}

static void list_to_json(tain_json *j, const char *key, const json_t *list)
{
    json_t *item;
    size_t  i;
    if (!list) return;
    tain_json_key(j, key);
    tain_json_array(j);
    json_array_foreach(list, i, item) tain_json_str(j, json_string_value(item));
    tain_json_array_end(j);
}

void tain_protocol_to_json(const tain_protocol *p, tain_json *j)
{
    tain_json_object(j);
    tain_json_kint(j, "minReaderVersion", p->reader);
    tain_json_kint(j, "minWriterVersion", p->writer);
    list_to_json(j, "readerFeatures", p->reader_features);
    list_to_json(j, "writerFeatures", p->writer_features);
    tain_json_object_end(j);
}

static bool listed(const json_t *list, const char *name)
{
    json_t *item;
    size_t  i;
    json_array_foreach(list, i, item)
        if (strcmp(json_string_value(item), name) == 0) return true;
    return false;
}

bool tain_protocol_has(const tain_protocol *p, const char *name)
{
    if (listed(p->writer_features, name) || listed(p->reader_features, name)) return true;
    const feature *f = find(name);
    if (!f || !f->legacy_writer || p->writer >= 7) return false;
    return p->writer >= f->legacy_writer && (!f->legacy_reader || p->reader >= f->legacy_reader);
}

/* --- may we ----------------------------------------------------------------------------------------------------- */

static tain_status check_known(const json_t *list, const char *what, tain_error *err)
{
    json_t *item;
    size_t  i;
    json_array_foreach(list, i, item) {
        if (find(json_string_value(item))) continue;
        tain_status st = tain_fail(err, TAIN_E_UNSUPPORTED, "the table uses the %s feature \"%s\", which tain does not know",
                                   what, json_string_value(item));
        tain_error_remedy(err, "drop the feature with the engine that set it, or use that engine");
        return st;
    }
    return TAIN_OK;
}

tain_status tain_protocol_check_read(const tain_protocol *p, const tain_delta_metadata *m, tain_error *err)
{
    if (p->reader > 3) return tain_fail(err, TAIN_E_UNSUPPORTED, "the table needs reader version %d; tain knows 3", p->reader);
    TAIN_TRY(check_known(p->reader_features, "reader", err));
    const char *mode = tain_json_get_str(m->configuration, "delta.columnMapping.mode", "none");
    if (strcmp(mode, "none") != 0 && strcmp(mode, "name") != 0)
        return tain_fail(err, TAIN_E_UNSUPPORTED, "column mapping mode \"%s\"", mode);
    return TAIN_OK;
}

static tain_status check_configuration(const json_t *configuration, tain_error *err)
{
    const char *key;
    json_t     *value;
    json_object_foreach((json_t *)configuration, key, value) if (strncmp(key, "delta.constraints.", 18) == 0) return tain_fail(
        err, TAIN_E_UNSUPPORTED, "the table has the check constraint \"%s\", which tain cannot evaluate", key + 18);
    if (tain_property_bool(configuration, "delta.enableInCommitTimestamps", false))
        return tain_fail(err, TAIN_E_UNSUPPORTED, "the table has in-commit timestamps, which tain does not write");
    if (tain_property_bool(configuration, "delta.enableRowTracking", false))
        return tain_fail(err, TAIN_E_UNSUPPORTED, "the table has row tracking, which tain does not write");
    return TAIN_OK;
}

tain_status tain_protocol_check_write(const tain_protocol *p, const tain_delta_metadata *m, tain_error *err)
{
    if (p->writer > 7) return tain_fail(err, TAIN_E_UNSUPPORTED, "the table needs writer version %d; tain knows 7", p->writer);
    TAIN_TRY(check_known(p->writer_features, "writer", err));
    return check_configuration(m->configuration, err);
}

/* --- what a table needs ------------------------------------------------------------------------------------------- */

static bool type_has(const tain_type *t, tain_kind kind)
{
    if (t->kind == kind) return true;
    for (size_t i = 0; i < t->child_count; i++)
        if (type_has(&t->children[i].type, kind)) return true;
    return false;
}

static bool schema_has(const tain_schema *s, tain_kind kind)
{
    for (size_t i = 0; i < s->count; i++)
        if (type_has(&s->fields[i].type, kind)) return true;
    return false;
}

static bool needs(const char *name, const tain_schema *schema, const json_t *configuration)
{
    if (strcmp(name, "appendOnly") == 0 || strcmp(name, "invariants") == 0) return true; /* inert, and NOT NULL counts as one */
    if (strcmp(name, "deletionVectors") == 0) return tain_property_bool(configuration, TAIN_DELTA_VECTORS_KEY, false);
    if (strcmp(name, "changeDataFeed") == 0) return tain_property_bool(configuration, TAIN_DELTA_FEED_KEY, false);
    if (strcmp(name, "timestampNtz") == 0) return schema_has(schema, TAIN_TIMESTAMP_NTZ);
    if (strcmp(name, "columnMapping") == 0)
        return strcmp(tain_json_get_str(configuration, "delta.columnMapping.mode", "none"), "none") != 0;
    return false;
}

static void append(json_t **list, const char *name)
{
    if (!*list) *list = json_array();
    if (!listed(*list, name)) json_array_append_new(*list, json_string(name));
}

/* Unknown features cannot occur here, they were refused. */
static tain_protocol with_lists(const bool wanted[KNOWN])
{
    tain_protocol p = {.reader = 1, .writer = 7};
    for (size_t i = 0; i < KNOWN; i++) {
        if (!wanted[i]) continue;
        append(&p.writer_features, known[i].name);
        if (!known[i].reader) continue;
        append(&p.reader_features, known[i].name);
        p.reader = 3;
    }
    return p;
}

/* The version that implies all of it, for engines that know no lists. Lists where there is none, or readers must know some of it: there
 * are some that look into lists alone, and take the names of mapped columns for those in the files. */
static tain_protocol smallest(const bool wanted[KNOWN])
{
    tain_protocol p = {.reader = 1, .writer = 2};
    for (size_t i = 0; i < KNOWN; i++) {
        if (!wanted[i]) continue;
        if (!known[i].legacy_writer || known[i].reader) return with_lists(wanted);
        if (known[i].legacy_writer > p.writer) p.writer = known[i].legacy_writer;
    }
    return p;
}

bool tain_protocol_lowest(const tain_protocol *p, const tain_schema *schema, const json_t *configuration, tain_protocol *ret)
{
    bool wanted[KNOWN], less = false;
    for (size_t i = 0; i < KNOWN; i++) {
        bool has = tain_protocol_has(p, known[i].name);
        wanted[i] = needs(known[i].name, schema, configuration) || (has && !known[i].goes);
        less |= has && !wanted[i];
    }
    if (less) *ret = smallest(wanted);
    return less;
}

tain_protocol tain_protocol_least(const tain_schema *schema, const json_t *configuration, bool with_domains)
{
    bool wanted[KNOWN];
    for (size_t i = 0; i < KNOWN; i++)
        wanted[i] = needs(known[i].name, schema, configuration) || (with_domains && strcmp(known[i].name, "domainMetadata") == 0);
    return smallest(wanted);
}

bool tain_protocol_follow(const tain_protocol *p, const tain_schema *schema, const json_t *configuration, tain_protocol *ret)
{
    bool wanted[KNOWN], all = true;
    for (size_t i = 0; i < KNOWN; i++) {
        bool has = tain_protocol_has(p, known[i].name);
        /* a table by others keeps without the inert two what it had without them */
        bool inert = !known[i].reader && known[i].legacy_writer == 2;
        bool need = needs(known[i].name, schema, configuration);
        wanted[i] = has || need;
        if (need && !has && !inert) all = false;
    }
    if (all) return false;
    *ret = p->writer >= 7 ? with_lists(wanted) : smallest(wanted);
    return true;
}
