/* SPDX-License-Identifier: MIT */
/* api.h -- REST: Fabric's calls for workspaces, items and mirrored databases as its clients send them, and tain's beyond.
 *
 * Every call is answered when it is done, never 202. Errors are `{"requestId","errorCode","message","isRetriable","remedy"}` with the code in
 * the header x-ms-public-api-error-code too. What each call takes and gives is in openapi.json. Thread: any. */
#ifndef TAIN_SERVE_API_API_H
#define TAIN_SERVE_API_API_H

#include "serve/auth/auth.h"
#include "serve/supervisor/supervisor.h"

typedef struct tain_api {
    tain_control    *control;    /* all borrowed */
    tain_supervisor *supervisor;
    tain_auth       *auth;
    const char      *lake;       /* folder in which those of new mirrors are made */
    const char      *public_url; /* how clients see us, "https://host"; NULL: as their request says */
} tain_api;

/* Answers any request but those for the page. */
void tain_api_handle(const tain_api *a, const tain_http_request *q, tain_http_reply *p);
/* Words a refusal of the server itself (net/http.h), whose status p has. */
void tain_api_refuse(const char *why, tain_http_reply *p);

#endif
