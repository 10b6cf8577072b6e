/* SPDX-License-Identifier: MIT */
/* meter.h -- how much a load has read, and how fast it has been going lately. Thread: any. */
#ifndef TAIN_MIRROR_METER_H
#define TAIN_MIRROR_METER_H

#include <pthread.h>
#include <stdbool.h>

#include "base/time.h"

enum { TAIN_METER_SECONDS = 10 };

typedef struct tain_amount { int64_t rows, bytes; } tain_amount;

typedef struct tain_meter {
    pthread_mutex_t lock;
    bool            running;
    tain_time       began;
    tain_amount     all;
    tain_amount     lately[TAIN_METER_SECONDS]; /* by second, round and round */
    int64_t         second;                     /* the one that counts now */
} tain_meter;

void tain_meter_init(tain_meter *m);
void tain_meter_done(tain_meter *m);
void tain_meter_begin(tain_meter *m, tain_time now); /* monotonic, as all times here */
void tain_meter_end(tain_meter *m);
void tain_meter_add(tain_meter *m, tain_amount amount, tain_time now);
/* False: nothing is being loaded. *ret_rate: a second, over the last ten or since it began. */
bool tain_meter_read(tain_meter *m, tain_time now, tain_amount *ret_all, tain_amount *ret_rate);

#endif
