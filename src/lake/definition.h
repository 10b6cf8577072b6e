/* SPDX-License-Identifier: MIT */
/* definition.h -- what one mirror is: source, lake, selection, settings; and its file, mirroring.json.
 *
 * The file has Fabric's shape with a "tain" object for what Fabric lacks. It never holds a password. */
#ifndef TAIN_LAKE_DEFINITION_H
#define TAIN_LAKE_DEFINITION_H

#include "source/source.h"
#include "store/store.h"

/* What a lake keeps as it was last given. */
typedef struct tain_switch {
    bool on;
    bool given; /* in this run, whatever is stored */
} tain_switch;

typedef struct tain_definition {
    char  *id;           /* UUID, made once; the Delta transactions of the mirror are "tain:<id>" */
    char  *name;         /* basis of names in the source: [a-z0-9_] */
    char  *source_url;   /* as given, may hold a password */
    char  *lake_url;
    char **tables;       /* globs, NULL-terminated; NULL: all */
    char **exclude;
    char **paused;       /* names of tables that are not followed for now; NULL: not given */
    tain_time freshness; /* longest time a committed change waits before it is written */
    int     jobs;
    int64_t memory;      /* budget in bytes */
    int64_t rate_rows, rate_bytes; /* a load reads at most so much a second; 0: any */
    tain_switch poll;    /* SQLite: capture by comparison */
    tain_switch leaves;  /* partitioned tables are mirrored by partition; what a lake began with it stays with */
    tain_switch cdf;     /* tables have a change data feed */
    tain_switch history; /* beside each table is one of all versions of its rows */
    tain_switch compat;  /* tables are of protocol (1,2): rows are deleted by rewriting their files */
    char   *retention;   /* how long files stay that no table names any more, as given; NULL: not given, "": the default */
    char   *history_retention; /* how long every version of a row is kept, as given; NULL: not given, "": for ever */
    json_t *policies;     /* the "policies" object: what becomes of values Delta has no place for; NULL: not given, empty: defaults */
    char   *retained_log; /* limits of the log that the source keeps, as retained.h reads them; NULL: not given */
    char   *snapshot_from; /* URL of a replica that loads are read from, as given; NULL: not given, "": none */
    char   *given_up;     /* why the mirror has let go of its position in the source; NULL: it has not */
    char   *old_name;     /* the stored name, when another was given */
    bool    changed;      /* what was given is not what is stored: save it once it has been put into effect */
    bool    drop_removes; /* --on-drop delete */
} tain_definition;

enum { TAIN_DEFAULT_JOBS = 1 };
#define TAIN_DEFAULT_FRESHNESS (500 * TAIN_MILLISECOND)
#define TAIN_DEFAULT_MEMORY    ((int64_t)256 << 20)
#define TAIN_DEFAULT_RETENTION (24 * 3600 * TAIN_SECOND)

void tain_definition_done(tain_definition *d);
/* A name from a lake's address that no other lake has: "shop_3fa2c1". Caller frees. */
char *tain_definition_make_name(const char *lake_url);
/* Reads mirroring.json into what d leaves open: id and given_up, and name, globs, paused, policies, switches, both retentions, retained_log and snapshot_from when they
 * are not given (an empty list of globs, object, or text, is given). NOT_FOUND: there is none. INVALID: the lake mirrors another source than d names, or
 * partitioned tables another way. */
tain_status tain_definition_load(tain_definition *d, tain_store *lake, tain_error *err);
/* CONFIG: they (may be NULL) are no object, or say of dropped_column what nobody knows; the rest is the source's to check. */
tain_status tain_definition_check_policies(const json_t *policies, tain_error *err);
/* Writes mirroring.json. */
tain_status tain_definition_save(const tain_definition *d, tain_store *lake, tain_error *err);
/* Whether the table of that name is paused. */
bool tain_definition_pauses(const tain_definition *d, const char *table);
/* What retention says, microseconds; the default where it says nothing. */
tain_time tain_definition_retention(const tain_definition *d);
/* The same of histories; -1: they keep everything. */
tain_time tain_definition_history_retention(const tain_definition *d);
/* The source's options as the definition has them; text is borrowed from d. */
tain_source_options tain_definition_source_options(const tain_definition *d, const char *spool_dir);

#endif
