/* SPDX-License-Identifier: MIT */
/* fault.h -- named points at which a test can make the process die or a call fail.
 *
 * TAIN_FAULT in the environment: "<point>[:<n>]" kills the process (SIGKILL) the n-th time (default 1st) the point is
 * passed; "<point>[:<n>]=fail" makes tain_fault_fails() true then, once; "=stop" stops it until SIGCONT. Without the variable a point costs one load.
 * All points are listed in fault.def, so that tests can walk them. Thread: any. */
#ifndef TAIN_BASE_FAULT_H
#define TAIN_BASE_FAULT_H

#include <stdbool.h>

typedef enum tain_fault_point {
#define TAIN_FAULT_POINT(id, name) TAIN_FAULT_##id,
#include "base/fault.def"
#undef TAIN_FAULT_POINT
    TAIN_FAULT_COUNT
} tain_fault_point;

const char *tain_fault_name(tain_fault_point point);
void        tain_fault(tain_fault_point point);       /* may not return */
bool        tain_fault_fails(tain_fault_point point); /* passes the point; true: behave as if the call had failed */

#endif
