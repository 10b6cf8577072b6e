/* SPDX-License-Identifier: MIT */
/* internal.h -- the state of one version, and what the files of this folder do with it.
 *
 * files holds the live files by path: a path is live at most once, so the deletion vector need not be part of the key.
 * tombstones is append-only between checkpoints; what became live again, and doubles, are sorted out when it is used. */
#ifndef TAIN_DELTA_INTERNAL_H
#define TAIN_DELTA_INTERNAL_H

#include "delta/delta.h"
#include "delta/dv.h"

/* --- protocol.c -------------------------------------------------------------------------------------------------- */

typedef struct tain_protocol {
    int     reader, writer;
    json_t *reader_features, *writer_features; /* arrays; NULL below versions 3 and 7 */
} tain_protocol;

void        tain_protocol_done(tain_protocol *p);
tain_status tain_protocol_from_json(const json_t *o, tain_protocol *ret, tain_error *err);
void        tain_protocol_to_json(const tain_protocol *p, tain_json *j);
bool        tain_protocol_has(const tain_protocol *p, const char *feature);
/* UNSUPPORTED when reading needs something we do not know. */
tain_status tain_protocol_check_read(const tain_protocol *p, const tain_delta_metadata *m, tain_error *err);
/* UNSUPPORTED when writing by these rules needs something we do not do. */
tain_status tain_protocol_check_write(const tain_protocol *p, const tain_delta_metadata *m, tain_error *err);
/* The least that a table needs; with_domains: it may name domains, if only to remove them. */
tain_protocol tain_protocol_least(const tain_schema *schema, const json_t *configuration, bool with_domains);
/* What p must become for schema and configuration. True, and *ret filled, when that is not p itself. */
bool tain_protocol_follow(const tain_protocol *p, const tain_schema *schema, const json_t *configuration, tain_protocol *ret);
/* What p may become when what nothing needs any more is taken away. True, and *ret filled, when that is less. */
bool tain_protocol_lowest(const tain_protocol *p, const tain_schema *schema, const json_t *configuration, tain_protocol *ret);

/* --- state.c ----------------------------------------------------------------------------------------------------- */

typedef struct tain_tombstone {
    int64_t     deleted_ms, size; /* size -1: not in the log */
    const char *path, *partition_values; /* in the same allocation; partition_values may be NULL */
    tain_dv     dv;                      /* its text too */
    bool        extended;
} tain_tombstone;

typedef struct tain_txn {
    int64_t version, updated_ms; /* -1: not in the log */
    int64_t since;               /* table version that brought it */
} tain_txn;

struct tain_delta {
    tain_store         *store;
    int64_t             version; /* -1: being made */
    tain_protocol       protocol;
    tain_delta_metadata meta;
    char               *schema_text;   /* schemaString as in the log */
    int64_t             meta_since;    /* version of the last protocol or metaData action */
    int64_t             meta_owned;    /* up to this version those are ours, or were there when it was opened */
    int64_t             meta_at, protocol_at; /* versions of the last metaData and the last protocol that were read */
    char               *opened_id;     /* metaData.id when it was opened: another one is another table */
    tain_map            files, txns, domains; /* tain_delta_file, tain_txn, char (configuration) */
    tain_tombstone    **tombstones;
    size_t              tombstone_count, tombstone_capacity;
    int64_t             bytes, rows, deleted; /* sums over live files */
    int64_t             unknown_rows;  /* live files without numRecords */
    int64_t             checkpoint;    /* version of the newest one known, -1: none */
    int64_t             checkpoint_bytes, tail_bytes;
    int64_t             appended;      /* bytes, by our own commits */
    int64_t             still_tail;    /* of a still: tail_bytes when it was made */
    tain_time           checkpoint_time, looked; /* monotonic */
    tain_delta_file   **gone;                    /* no longer live, kept until the next call that changes the table */
    size_t              gone_count, gone_capacity;
    tain_delta_file   **leaving;                 /* removed by the commit being applied, unless it adds them again */
    size_t              leaving_count, leaving_capacity;
    bool                broken; /* a commit could not be applied: the state is half of one */
};

uint32_t tain_delta_new_ordinal(void); /* writer.c */
#define TAIN_DELTA_FEED_FOLDER "_change_data/"

tain_delta *tain_state_new(tain_store *store);
/* Frees files that went in earlier calls; the start of every public call that changes the table. */
void tain_state_forget_gone(tain_delta *t);
void tain_state_add_tombstone(tain_delta *t, const char *path, const tain_dv *dv, int64_t deleted_ms, int64_t size, bool extended,
                              const char *partition_values);
/* How long a file, or its vector, must have stood to get a tombstone when this process removes it: what is younger is protected
 * by its own age for all but so much of the retention, and tables that are changed all the time would carry little else. */
enum { TAIN_LINGER_MS = 10 * 60 * 1000 };
/* Tombstones whose deletion is at or after since_ms and whose key is not live, newest of each key; *ret is the caller's,
 * the elements are not. */
size_t tain_state_tombstones(tain_delta *t, int64_t since_ms, tain_tombstone ***ret);
/* None of them is of a vector any more; the files that held vectors are kept as long. */
void tain_state_forget_vectors(tain_delta *t);
/* Forgets those older. */
void tain_state_expire(tain_delta *t, int64_t since_ms);

/* One commit: any number of remove and add in any order, then end. */
void        tain_state_remove(tain_delta *t, const char *path, const tain_dv *dv);
tain_status tain_state_add(tain_delta *t, tain_delta_file *f, tain_error *err); /* takes f, on failure too */
void        tain_state_end_commit(tain_delta *t, int64_t version);

/* Direct steps of our own commits. */
void tain_state_insert(tain_delta *t, tain_delta_file *f, int64_t version);
void tain_state_drop(tain_delta *t, tain_delta_file *f, int64_t now_ms);
/* Takes dv, stats and deleted. */
void tain_state_set_dv(tain_delta *t, tain_delta_file *f, tain_dv dv, char *stats, roaring_bitmap_t *deleted, int64_t version, int64_t now_ms);
void tain_state_set_txn(tain_delta *t, const char *app_id, int64_t app_version, int64_t updated_ms, int64_t version);
void tain_state_set_domain(tain_delta *t, const char *domain, const char *configuration); /* NULL: removed */
void tain_state_forget_domains(tain_delta *t);
/* Takes meta's members and schema_text. */
void tain_state_set_meta(tain_delta *t, tain_delta_metadata meta, char *schema_text);
void tain_metadata_done(tain_delta_metadata *m);

/* --- action.c, parse.c -------------------------------------------------------------------------------------------- */

extern char tain_delta_no_partition[]; /* "{}", shared by all files without partition values */

void tain_action_add(tain_buffer *out, const tain_delta_file *f, const tain_dv *dv, const char *stats, bool data_change);
void tain_action_cdc(tain_buffer *out, const tain_delta_file *f);
void tain_action_remove(tain_buffer *out, const tain_delta_file *f, int64_t now_ms, bool data_change);
void tain_action_txn(tain_buffer *out, const char *app_id, int64_t version, int64_t now_ms);
void tain_action_protocol(tain_buffer *out, const tain_protocol *p);
void tain_action_no_domain(tain_buffer *out, const char *domain); /* it is removed */
void tain_action_metadata(tain_buffer *out, const tain_delta_metadata *m, const char *schema_text);

/* Applies one action {"add":{...}} of a log line or a checkpoint row. Unknown ones are ignored. */
tain_status tain_parse_action(tain_delta *t, const char *name, const json_t *o, tain_error *err);
/* Applies every line of a commit file, and ends the commit. CORRUPT names key and line. */
tain_status tain_parse_commit(tain_delta *t, int64_t version, const char *key, tain_slice text, tain_error *err);

/* --- stats.c ------------------------------------------------------------------------------------------------------ */

/* Whether column i of a table is one of them. */
bool tain_delta_is_indexed(const tain_delta_indexed *indexed, const tain_field *field, size_t i);
/* Statistics of a new file, for those columns, appended. */
void tain_stats_json(const tain_schema *schema, const tain_parquet_summary *s, const tain_delta_indexed *indexed, bool tight, tain_buffer *out);
/* numRecords of stats text, -1: none. */
int64_t tain_stats_rows(const char *stats);
/* The same text with numRecords there and tightBounds false. stats NULL or unusable: a minimal one. Caller frees. */
char *tain_stats_loosen(const char *stats, int64_t rows);
/* Statistics of a file with more columns, whose own are `more`. Caller frees. */
char *tain_stats_join(const char *stats, const char *more);

/* --- path.c, property.c -------------------------------------------------------------------------------------------- */

/* Local absolute path of an absolute path or file: URI in the log (percent-decoded), or of a relative one when folder is
 * a local store. NULL: it is somewhere else. Caller frees. */
char *tain_delta_local_path(tain_store *folder, const char *path);
/* Key within folder that the log's path names. NULL: outside. Caller frees. */
char *tain_delta_key_of(tain_store *folder, const char *path);

typedef enum tain_log_kind { TAIN_LOG_OTHER, TAIN_LOG_COMMIT, TAIN_LOG_CHECKPOINT, TAIN_LOG_PART, TAIN_LOG_V2, TAIN_LOG_CRC, TAIN_LOG_COMPACTED } tain_log_kind;
typedef struct tain_log_name {
    tain_log_kind kind;
    int64_t       version;
    int64_t       part, parts; /* of a checkpoint in parts */
} tain_log_name;
tain_log_name tain_log_name_of(const char *key); /* key with or without _delta_log/ */
char         *tain_log_key(int64_t version, const char *suffix); /* "_delta_log/%020d<suffix>", caller frees */

const char *tain_property(const tain_delta *t, const char *key, const char *otherwise);
int64_t     tain_property_int(const tain_delta *t, const char *key, int64_t otherwise);
/* A list of columns, which were those of old, as it is with those of now: under their new names, without those that are gone.
 * Caller frees. */
char       *tain_property_rename_columns(const char *list, const tain_schema *old, const tain_schema *now);
bool        tain_property_bool(const json_t *configuration, const char *key, bool otherwise);
/* "interval 2 days" as time; otherwise when absent or not understood. */
tain_time tain_property_interval(const tain_delta *t, const char *key, tain_time otherwise);

/* --- replay.c ------------------------------------------------------------------------------------------------------ */

/* Reads and applies one commit file. NOT_FOUND when there is none. */
tain_status tain_replay_commit(tain_delta *t, int64_t version, tain_error *err);
/* CORRUPT once a commit could not be applied. */
tain_status tain_delta_check_usable(const tain_delta *t, tain_error *err);
/* Whether the log was last looked at so long ago that a missing next commit may have been made, and cleaned away. */
bool tain_replay_is_stale(const tain_delta *t);
/* Takes in commits from version + 1 on until there is none. GONE when those were cleaned away. */
tain_status tain_replay_forward(tain_delta *t, tain_error *err);

/* --- cleanup.c ------------------------------------------------------------------------------------------------------ */

/* Removes all that the log has below version, of which there is a checkpoint. */
tain_status tain_log_forget(tain_delta *t, int64_t version, tain_error *err);

/* --- checkpoint_check.c, checkpoint_read.c, hint.c -------------------------------------------------------------------------------------- */

/* Applies the checkpoint in these objects to an empty state. */
tain_status tain_checkpoint_read(tain_delta *t, char *const *keys, size_t n, tain_error *err);

/* Reads that checkpoint of t's version back, which has so many tombstones. INTERNAL: it is not what t is. */
tain_status tain_checkpoint_check(const tain_delta *t, const char *key, size_t tombstones, tain_error *err);

typedef struct tain_hint {
    int64_t version, size, bytes, files;
} tain_hint;
/* False: there is none, or it is not usable. */
bool        tain_hint_read(tain_store *store, tain_hint *ret);
tain_status tain_hint_write(tain_store *store, const tain_hint *hint, tain_error *err);

/* --- checksum.c ----------------------------------------------------------------------------------------------------- */

/* The canonical form of PROTOCOL.md, "JSON checksum", appended. */
void tain_canonical_json(const json_t *value, tain_buffer *out);
void tain_md5_hex(const void *data, size_t n, char out[static 33]);

#endif
