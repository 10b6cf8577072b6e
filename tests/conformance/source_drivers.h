/* SPDX-License-Identifier: MIT */
/* source_drivers.h -- the databases that source_test.c runs in: one source_driver each, listed in source_drivers.c. */
#ifndef TAIN_TESTS_SOURCE_DRIVERS_H
#define TAIN_TESTS_SOURCE_DRIVERS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "source/source.h"

typedef struct source_driver {
    const char *name;
    bool  (*available)(void);            /* NULL: always. What is not, is said and left out */
    void *(*make)(void);                 /* an empty database */
    void  (*run)(void *database, const char *sql); /* several statements separated by ; on one connection; fails the test */
    void  (*options)(void *database, tain_source_options *o); /* fills in url, spool_dir, poll_capture */
    void  (*destroy)(void *database);
} source_driver;

extern const source_driver *const source_drivers[]; /* NULL-terminated */

#endif
