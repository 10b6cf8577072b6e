/* SPDX-License-Identifier: MIT */
/* ward.h -- one mirrored database under supervision: its process, its files, and what is known of it. For the supervisor's own files.
 *
 * The supervisor's thread alone runs processes and reads files; what others may see or set is `shared`, which is touched while
 * `lock` is held, and that never for longer than it takes to copy. */
#ifndef TAIN_SERVE_SUPERVISOR_WARD_H
#define TAIN_SERVE_SUPERVISOR_WARD_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/map.h"
#include "control/item.h"
#include "serve/supervisor/child.h"
#include "serve/supervisor/command.h"
#include "serve/supervisor/machine.h"
#include "serve/supervisor/memo.h"
#include "serve/supervisor/records.h"
#include "serve/supervisor/samples.h"
#include "serve/supervisor/supervisor.h"
#include "serve/supervisor/watch.h"

typedef struct tain_ward_shared {
    tain_control_item *item;      /* as it is in the control database now; the thread takes it when `looked` */
    bool               looked;    /* it changed, or somebody acted */
    bool               gone;      /* it is not there any more */
    bool               barred;    /* it is not to run */
    bool               reload;    /* resync.json is another */
    tain_control_state wanted;
    tain_process       process;
    tain_error         error;
    pid_t              pid;
    tain_time          started;
    unsigned           restarts;
    bool               ever;      /* it was started once */
    json_t            *status;
    char              *connection, *lake;
    tain_samples       samples;
    tain_freshness     freshness;
} tain_ward_shared;

typedef struct tain_ward {
    struct tain_supervisor *s;
    char                   *id, *folder, *log;
    tain_ward_shared        shared;

    tain_control_item *item; /* the thread's copy; NULL only before the first look */
    char              *source_type, *lake;
    tain_machine       machine;
    tain_child         child;
    tain_watch         watch;
    tain_records       records;
    tain_memo          memo; /* of the process that is, or was */
    int64_t            memory;     /* its limit */
    tain_time          next_look, next_sample, next_weighing, next_records;
    bool               alarms[TAIN_ALARM_KINDS];
    tain_error         unfit;      /* why the definition of now is no command; what runs is of the one before */
    bool               held;       /* it is to start when its turn comes */
    bool               shut;       /* nothing can be written to its lake, which is why it shows nothing new */
    bool               outdated;   /* what runs is another command or program: it is to be renewed in its turn */
} tain_ward;

struct tain_supervisor {
    tain_control    *control;
    char            *program;
    char             program_is[80], boot[40];
    tain_time        patience, silence, lag, keep_records, keep_audit;
    void           (*alarm)(void *ctx, const tain_supervisor_alarm *a);
    void            *alarm_ctx;
    char            *folder;  /* HOME/mirrors */

    pthread_t       thread;
    int             wake;     /* eventfd */
    atomic_bool     ending, leaving;
    pthread_mutex_t looking;  /* one look at a time: the later one is the newer; and one change of resync.json */
    pthread_mutex_t lock;     /* the map, and `shared` of each */
    pthread_cond_t  changed;  /* of some process */
    tain_map        wards;    /* id in lower case -> ward */
    int             starts;   /* how many may start now */
    tain_time       refill, next_prune;
};

/* A ward that nobody knows yet; takes what it finds of its worker. For the thread, or before there is one. */
tain_ward *tain_ward_new(tain_supervisor *s, const char *id);
void       tain_ward_free(tain_ward *w);
/* Takes up a worker that runs already. Once, when its item has been looked at. */
void       tain_ward_recall(tain_ward *w);
/* Does what is to be done now. */
void       tain_ward_turn(tain_ward *w, tain_time now);
/* When it is to be turned to again at the latest. */
tain_time  tain_ward_due(const tain_ward *w);
/* Nothing runs, and nobody wants it any more. */
bool       tain_ward_is_over(tain_ward *w);

/* As look, for who must know that it was possible. */
tain_status tain_supervisor_see(tain_supervisor *s, const char *item, tain_error *err);

/* --- alarm.c ------------------------------------------------------------------------------------------------------- */

/* Tells it if it is new. */
void tain_ward_alarm(tain_ward *w, tain_supervisor_alarm_kind kind, int64_t amount, const char *message, const char *remedy);
void tain_ward_calm(tain_ward *w, tain_supervisor_alarm_kind kind);
/* What its status says of it. */
void tain_ward_judge(tain_ward *w, const tain_digest *d);

#endif
