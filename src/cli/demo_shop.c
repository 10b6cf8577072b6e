/* SPDX-License-Identifier: MIT */
#include "cli/demo_shop.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/time.h"

enum { PRODUCTS = 200, CUSTOMERS = 2000, ORDERS = 7000, ITEMS_MOST = 4, BUSY_MS = 5000, PAUSE_US = 700 };

static const char schema[] =
    "pragma journal_mode = wal;"
    "create table inventory (sku text primary key, name text not null, unit_price decimal(10,2) not null, stock integer not null,"
    "  delivered integer not null, weight real, picture blob) without rowid;"
    "create table customers (customer_id integer primary key, email varchar(80) unique, name text, born date, vip boolean, notes,"
    "  credit numeric);"
    "create table orders (order_id integer primary key, customer_id integer not null references customers, placed_at datetime not null,"
    "  status text not null);"
    "create table items (order_id integer not null references orders, line integer not null, sku text not null, quantity integer not null,"
    "  unit_price decimal(10,2) not null, primary key (order_id, line));";

static const char fill[] =
    "with recursive n(i) as (select 0 union all select i + 1 from n where i < 199)"
    "insert into inventory select printf('SKU-%04d', i), 'Product ' || i, round(1.99 + i * 0.37, 2), 100000, 100000, i * 0.125,"
    "  case when i % 3 then randomblob(16) end from n;"
    "with recursive n(i) as (select 1 union all select i + 1 from n where i < 2000)"
    "insert into customers select i, 'customer' || i || '@example.org', 'Customer ' || i, date('1950-01-01', (i * 7) || ' days'), i % 10 = 0,"
    "  case i % 3 when 0 then 'likes tea' when 1 then null else 'prefers post' end, i / 4.0 from n;"
    "with recursive n(i) as (select 1 union all select i + 1 from n where i < 7000)"
    "insert into orders select i, 1 + i * 7 % 2000, datetime('2026-01-01', i || ' minutes'), case when i % 4 then 'shipped' else 'open' end from n;"
    "insert into items select order_id, line, printf('SKU-%04d', (order_id * 13 + line * 7) % 200), 1 + (order_id + line) % 5,"
    "  round(1.99 + ((order_id * 13 + line * 7) % 200) * 0.37, 2) from orders, (select 1 as line union select 2) where line = 1 or order_id % 2;"
    "update inventory set stock = delivered - coalesce((select sum(quantity) from items where items.sku = inventory.sku), 0);";

typedef struct shop {
    sqlite3 *db;
    unsigned seed;
    int      next_order, next_customer;
    tain_error *err;
} shop;

static int pick(shop *s, int n)
{
    return (int)((unsigned)rand_r(&s->seed) % (unsigned)n);
}

static tain_status failed(sqlite3 *db, const char *what, tain_error *err)
{
    return tain_fail(err, TAIN_E_IO, "%s: %s", what, sqlite3_errmsg(db));
}

static tain_status open_shop(const char *path, shop *s, tain_error *err)
{
    s->err = err;
    if (sqlite3_open(path, &s->db) != SQLITE_OK) return failed(s->db, path, err);
    sqlite3_busy_timeout(s->db, BUSY_MS);
    return TAIN_OK;
}

static tain_status run(shop *s, const char *format, ...)
{
    char sql[1000];
    va_list args;
    va_start(args, format);
    vsnprintf(sql, sizeof sql, format, args);
    va_end(args);
    return sqlite3_exec(s->db, sql, NULL, NULL, NULL) == SQLITE_OK ? TAIN_OK : failed(s->db, sql, s->err);
}

tain_status tain_demo_shop_create(const char *path, tain_error *err)
{
    shop s = {0};
    tain_status st = open_shop(path, &s, err);
    if (st == TAIN_OK && sqlite3_exec(s.db, schema, NULL, NULL, NULL) != SQLITE_OK) st = failed(s.db, "making the shop", err);
    if (st == TAIN_OK) st = run(&s, "begin");
    if (st == TAIN_OK && sqlite3_exec(s.db, fill, NULL, NULL, NULL) != SQLITE_OK) st = failed(s.db, "filling the shop", err);
    if (st == TAIN_OK) st = run(&s, "commit");
    sqlite3_close(s.db);
    return st;
}

/* --- what happens in the shop -------------------------------------------------------------------------------------- */

static tain_status sell(shop *s)
{
    int order = s->next_order++, lines = 1 + pick(s, ITEMS_MOST);
    TAIN_TRY(run(s, "begin immediate; insert into orders values (%d, %d, datetime('now'), 'open')", order, 1 + pick(s, CUSTOMERS)));
    for (int line = 1; line <= lines; line++) {
        int product = pick(s, PRODUCTS), quantity = 1 + pick(s, 5);
        TAIN_TRY(run(s, "insert into items select %d, %d, sku, %d, unit_price from inventory where sku = 'SKU-%04d';"
                        "update inventory set stock = stock - %d where sku = 'SKU-%04d'", order, line, quantity, product, quantity, product));
    }
    return run(s, pick(s, 20) ? "commit" : "rollback"); /* now and then a customer thinks better of it */
}

static tain_status ship(shop *s)
{
    return run(s, "update orders set status = 'shipped' where order_id = %d", 1 + pick(s, s->next_order));
}

static tain_status cancel(shop *s)
{
    int order = 1 + pick(s, s->next_order);
    return run(s, "begin immediate; update inventory set stock = stock + (select coalesce(sum(quantity), 0) from items where order_id = %d"
                  " and items.sku = inventory.sku) where sku in (select sku from items where order_id = %d);"
                  "delete from items where order_id = %d; update orders set status = 'cancelled' where order_id = %d; commit",
               order, order, order, order);
}

static tain_status restock(shop *s)
{
    int product = pick(s, PRODUCTS), n = 10 + pick(s, 90);
    return run(s, "update inventory set stock = stock + %d, delivered = delivered + %d where sku = 'SKU-%04d'", n, n, product);
}

static tain_status move_customer(shop *s)
{
    int id = 1 + pick(s, CUSTOMERS);
    return run(s, "insert or replace into customers (customer_id, email, name, vip, credit) values (%d, 'moved%d@example.org', 'Customer %d', %d, %d / 3.0)",
               id, pick(s, 1000000), id, pick(s, 2), pick(s, 1000));
}

/* The key of a customer changes, and with it what refers to it. */
static tain_status renumber_customer(shop *s)
{
    int from = 1 + pick(s, CUSTOMERS), to = s->next_customer++;
    return run(s, "begin immediate; update customers set customer_id = %d where customer_id = %d;"
                  "update orders set customer_id = %d where customer_id = %d; commit", to, from, to, from);
}

static tain_status one_thing(shop *s)
{
    switch (pick(s, 10)) {
    case 0: return cancel(s);
    case 1: return restock(s);
    case 2: return pick(s, 4) ? move_customer(s) : renumber_customer(s);
    case 3:
    case 4: return ship(s);
    default: return sell(s);
    }
}

tain_status tain_demo_shop_run(const char *path, double seconds, unsigned seed, tain_error *err)
{
    shop s = {.seed = seed, .next_order = ORDERS + 1, .next_customer = CUSTOMERS + 1};
    tain_time end = tain_monotonic() + (tain_time)(seconds * 1e6);
    struct timespec pause = {.tv_nsec = PAUSE_US * 1000};
    tain_status st = open_shop(path, &s, err);
    while (st == TAIN_OK && tain_monotonic() < end) {
        st = one_thing(&s);
        nanosleep(&pause, NULL);
    }
    sqlite3_close(s.db);
    return st;
}
