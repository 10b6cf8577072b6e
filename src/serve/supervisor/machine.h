/* SPDX-License-Identifier: MIT */
/* machine.h -- what becomes of a worker's process: a function of what is wanted, what happened and the time. Does nothing itself.
 *
 *   process    what happened                 becomes    to do
 *   ---------- ----------------------------- ---------- -------
 *   NONE       it is wanted                  STARTING   START
 *   STARTING   READY: it shows its state     RUNNING
 *   RUNNING    ADVANCED: it has come further RUNNING               the next wait is 1 s again
 *   STARTING,  it is not wanted any more     STOPPING   TERM
 *   RUNNING    RENEW: its command is another STOPPING   TERM
 *              HUNG: it must not go on       STOPPING   KILL
 *              ENDED, to be tried again      BACKOFF              1 s, 2 s, 4 s ... 60 s; from the beginning after 5 minutes of life.
 *                                                                 RUNNING: 1 s for nine times in a row, then 2 s, 4 s
 *              ENDED, an operator's          FAILED
 *   STOPPING   patience is over              STOPPING   KILL
 *              ENDED, having been HUNG       BACKOFF
 *              ENDED                         NONE                 and STARTING at once, if it is wanted
 *   BACKOFF    its time has come             STARTING   START
 *   BACKOFF,   somebody ACTED                STARTING   START     the next wait is 1 s again
 *   FAILED     it is not wanted any more     NONE
 *   NONE       FOUND: one of before runs     STARTING             also when it is not wanted: then it is STOPPING next
 *
 * Whatever is not in the table changes nothing. A START that fails is ENDED. Times are monotonic. Thread: any. */
#ifndef TAIN_SERVE_SUPERVISOR_MACHINE_H
#define TAIN_SERVE_SUPERVISOR_MACHINE_H

#include <stdbool.h>

#include "base/time.h"

typedef enum tain_process {
    TAIN_PROCESS_NONE, TAIN_PROCESS_STARTING, TAIN_PROCESS_RUNNING, TAIN_PROCESS_STOPPING, TAIN_PROCESS_BACKOFF, TAIN_PROCESS_FAILED,
} tain_process;

typedef enum tain_happening {
    TAIN_HAPPENED_NOTHING, /* but time went by, or something else is wanted */
    TAIN_HAPPENED_ACTED,
    TAIN_HAPPENED_FOUND,
    TAIN_HAPPENED_READY,
    TAIN_HAPPENED_ADVANCED,
    TAIN_HAPPENED_RENEW,
    TAIN_HAPPENED_HUNG,
    TAIN_HAPPENED_ENDED,        /* as it should, or to be tried again */
    TAIN_HAPPENED_ENDED_FOR_US, /* there is something for an operator to do */
} tain_happening;

typedef enum tain_deed { TAIN_DO_NOTHING, TAIN_DO_START, TAIN_DO_TERM, TAIN_DO_KILL } tain_deed;

typedef struct tain_machine {
    tain_process process;
    tain_time    due;      /* when it is to be asked again, though nothing happened; INT64_MAX: never */
    tain_time    born;     /* when the process was started */
    int          failures; /* in a row */
    bool         hung;     /* it is being killed for that */
    unsigned     restarts; /* since it was wanted */
} tain_machine;

#define TAIN_MACHINE_WAIT      TAIN_SECOND
#define TAIN_MACHINE_LONGEST   (60 * TAIN_SECOND)
#define TAIN_MACHINE_CALM      (300 * TAIN_SECOND)
enum { TAIN_MACHINE_BORNE = 8 }; /* ends in a row of one that ran, before it is waited for longer: somebody else's doing, more likely than its own */

void      tain_machine_init(tain_machine *m);
/* wanted: that a worker runs. patience: of an orderly stop. */
tain_deed tain_machine_step(tain_machine *m, bool wanted, tain_happening what, tain_time now, tain_time patience);
/* Whether there is a process. */
bool      tain_machine_lives(const tain_machine *m);

#endif
