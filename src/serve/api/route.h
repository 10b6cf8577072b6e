/* SPDX-License-Identifier: MIT */
/* route.h -- which call a request is for. Inside of serve/api. */
#ifndef TAIN_SERVE_API_ROUTE_H
#define TAIN_SERVE_API_ROUTE_H

#include "serve/api/call.h"

/* What {} of the form stand for; NULL: the path is not of that form. `room` takes a copy of the path, cut into pieces. */
typedef struct tain_route_match {
    const tain_route *route;  /* NULL: none is for this method */
    char              methods[40]; /* those the path is for, "GET, HEAD, POST"; "": it is none of ours */
    char             *room;   /* owned */
    const char       *argument[TAIN_CALL_ARGUMENTS];
} tain_route_match;

tain_route_match tain_route_find(const tain_route *const *tables, size_t n, const char *method, const char *path); /* path as net/http.h has it */
void             tain_route_match_done(tain_route_match *m);

#endif
