/* SPDX-License-Identifier: MIT */
/* supervisor.h -- one worker process for each mirror that should run: started, watched, restarted, stopped.
 *
 * What should run is in the control database; what does run is found out from the processes themselves, so that another supervisor
 * can take over from one that was killed. Thread: any. */
#ifndef TAIN_SERVE_SUPERVISOR_SUPERVISOR_H
#define TAIN_SERVE_SUPERVISOR_SUPERVISOR_H

#include <jansson.h>
#include <stdbool.h>
#include <sys/types.h>

#include "base/time.h"
#include "control/control.h"
#include "serve/supervisor/freshness.h"

typedef struct tain_supervisor tain_supervisor;

/* What somebody may want to be told of: it began, or it is over. */
typedef enum tain_supervisor_alarm_kind {
    TAIN_ALARM_FAILED,   /* the worker ended by an error, or cannot be started */
    TAIN_ALARM_STALLED,  /* it made no progress any more, and was replaced; or its lake cannot be written to */
    TAIN_ALARM_MEMORY,   /* it took more than its limit, and was replaced */
    TAIN_ALARM_TABLES,   /* tables are Failed; amount: how many */
    TAIN_ALARM_LAG,      /* amount: microseconds */
    TAIN_ALARM_RETAINED, /* the source keeps more of its log than agreed; amount: bytes */
    TAIN_ALARM_KINDS,
} tain_supervisor_alarm_kind;
const char *tain_supervisor_alarm_name(tain_supervisor_alarm_kind k); /* "failed" */

typedef struct tain_supervisor_alarm { /* borrowed, for as long as the call takes */
    tain_supervisor_alarm_kind kind;
    bool                       over;
    const char                *item, *item_name, *workspace;
    const char                *message, *remedy; /* one line each, without passwords; "" when over */
    int64_t                    amount;
} tain_supervisor_alarm;

typedef struct tain_supervisor_options {
    const char *program;  /* what workers are: NULL: this binary */
    tain_time   patience; /* for an orderly stop; 0: 30 s */
    tain_time   silence;  /* a worker that shows nothing for so long, or one of whose loops does not turn for twice as long, is replaced; 0: 30 s */
    tain_time   lag;      /* beyond which LAG is told; 0: 5 min */
    tain_time   keep_records, keep_audit; /* how long records of executions and the audit log are kept; 0: 30 days, 90 days */
    void (*alarm)(void *ctx, const tain_supervisor_alarm *a); /* on the supervisor's thread, which waits: hand it on; may be NULL */
    void *alarm_ctx;
} tain_supervisor_options;

/* Takes up what runs, and starts what should. */
tain_status tain_supervisor_start(tain_control *c, const tain_supervisor_options *o, tain_supervisor **ret, tain_error *err);
/* Workers are asked to end already, and nobody waits in rests any more: what stopping begins with, while others still call. */
void        tain_supervisor_wind_down(tain_supervisor *s);
/* leave: the workers go on; else they are stopped in order, and waited for. NULL is fine. */
void        tain_supervisor_stop(tain_supervisor *s, bool leave);

/* Something about this mirrored database changed in the control database, or it is gone; what failed is tried again. Returns at
 * once, and what is reported from then on is of the new state. */
void        tain_supervisor_look(tain_supervisor *s, const char *item);
/* As look for all that use the connection. */
void        tain_supervisor_look_connection(tain_supervisor *s, const char *connection);
/* While it is barred it is stopped, and not started, whatever is wanted of it: for who is about to remove it. */
void        tain_supervisor_bar(tain_supervisor *s, const char *item, bool bar);
/* Waits until it has no process, a while at most: for what must have the lake for itself. False: it still has one, or the
 * supervisor is to stop. */
bool        tain_supervisor_rests(tain_supervisor *s, const char *item, tain_time patience);
/* Loads tables ("schema.table", NULL-terminated; NULL: all) again, once, whatever happens to either process; when it does not run,
 * with its next start. NOT_FOUND: no such mirrored database or table. */
tain_status tain_supervisor_resync(tain_supervisor *s, const char *item, const char *const *tables, tain_error *err);

typedef enum tain_mirroring { /* names as Fabric's REST has them */
    TAIN_MIRRORING_INITIALIZED, TAIN_MIRRORING_STARTING, TAIN_MIRRORING_RUNNING, TAIN_MIRRORING_PAUSED, TAIN_MIRRORING_STOPPING, TAIN_MIRRORING_STOPPED,
} tain_mirroring;
const char *tain_mirroring_name(tain_mirroring m);

typedef struct tain_mirror_report {
    tain_mirroring status;
    tain_error     error;    /* code OK: none */
    pid_t          pid;      /* 0: no process */
    tain_time      started;  /* of that process */
    unsigned       restarts; /* since somebody wanted it to run */
    json_t        *worker;   /* what it last said of itself, as status --json; at rest (watch.h) when it does not run; NULL: nothing yet. Not to be changed */
    char          *lake;     /* its folder */
    tain_freshness freshness; /* since this supervisor looks */
} tain_mirror_report;

/* From memory. NOT_FOUND: no such mirrored database. */
tain_status tain_supervisor_report(tain_supervisor *s, const char *item, tain_mirror_report *ret, tain_error *err);
void        tain_mirror_report_done(tain_mirror_report *r);

typedef struct tain_sample { /* below 0: not known */
    tain_time at;
    int64_t   lag, latency;  /* microseconds */
    int64_t   rows, bytes;   /* processed so far */
    int64_t   retained;      /* bytes of the source's log */
} tain_sample;
/* Those since a moment, oldest first; one in ten seconds, for the last two hours. Caller frees *ret. */
tain_status tain_supervisor_samples(tain_supervisor *s, const char *item, tain_time since, tain_sample **ret, size_t *ret_count, tain_error *err);

/* Where the worker's log is, which has its older half in ".1"; caller frees. */
char *tain_supervisor_log_path(const tain_control *c, const char *item);

#endif
