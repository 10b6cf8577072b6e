/* SPDX-License-Identifier: MIT */
/* demo_shop.h -- the small shop that `tain demo` mirrors: customers, orders, items, inventory in a SQLite file.
 *
 * What stays true in every committed state: for each product, stock plus pieces in items equals delivered; so a query
 * over two mirrored tables shows whether they are one state together. */
#ifndef TAIN_CLI_DEMO_SHOP_H
#define TAIN_CLI_DEMO_SHOP_H

#include "base/error.h"

/* Makes the file, with some 20,000 rows and every storage class and column affinity SQLite has. */
tain_status tain_demo_shop_create(const char *path, tain_error *err);
/* Works in the shop for so many seconds: small transactions, now and then a rollback or a change of key. */
tain_status tain_demo_shop_run(const char *path, double seconds, unsigned seed, tain_error *err);

#endif
