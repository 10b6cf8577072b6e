/* SPDX-License-Identifier: MIT */
/* asset.h -- the files of the page, in the program itself: tools/page puts them there. */
#ifndef TAIN_SERVE_PAGE_ASSET_H
#define TAIN_SERVE_PAGE_ASSET_H

#include "base/buffer.h"
#include "net/http.h"

typedef struct tain_asset {
    const char *name; /* "/index.html" */
    const char *type;
    tain_slice  plain, packed; /* packed: gzip */
} tain_asset;

extern const tain_asset tain_assets[]; /* in the order of their names */
extern const size_t     tain_asset_count;

const tain_asset *tain_asset_find(const char *name); /* NULL: there is none */
/* Answers with it, packed where the client takes that. */
void              tain_asset_send(const tain_asset *a, const tain_http_request *q, tain_http_reply *p);
/* Answers a request for the page ("/"), or a file of it. False: it is none of these. */
bool              tain_page_handle(const tain_http_request *q, tain_http_reply *p);

#endif
