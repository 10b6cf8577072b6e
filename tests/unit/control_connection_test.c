/* SPDX-License-Identifier: MIT */
/* Connections and the sealing of their secrets. */
#include "control_fixture.h"

#include "control/connection.h"
#include "control/seal.h"

static const char secret[] = "Xq7-secret-secret";
static const char url[] = "postgresql://shop@db.example/shop";
static char       id[37];

static void add(const char *name, const char *given)
{
    assert_ok(tain_control_connection_add(control, name, url, given, id, &err));
}

static void expect_secret(const char *of, const char *what)
{
    char *got = NULL;
    assert_ok(tain_control_connection_secret(control, of, &got, &err));
    if (what) assert_string_equal(got, what);
    else assert_null(got);
    tain_control_secret_free(got);
}

static tain_status reveal(void)
{
    char       *got = NULL;
    tain_status st = tain_control_connection_secret(control, id, &got, &err);
    assert_true(st == TAIN_OK || !got);
    tain_control_secret_free(got);
    return st;
}

static void rewrite_key(size_t n, mode_t mode)
{
    uint8_t bytes[64] = {1, 2, 3};
    int     fd = open(in_home("control.key"), O_WRONLY | O_CREAT | O_TRUNC, mode);
    assert_int_equal(write(fd, bytes, n), (ssize_t)n);
    fchmod(fd, mode);
    close(fd);
}

/* --- what is kept -------------------------------------------------------------------------------------------------- */

static void a_secret_is_sealed(void **state)
{
    struct stat key;
    assert_int_equal(stat(in_home("control.key"), &key), -1);
    add("shop", secret);
    assert_int_equal(stat(in_home("control.key"), &key), 0);
    assert_int_equal(key.st_size, 32);
    assert_int_equal(key.st_mode & 07777, 0600);
    assert_false(home_has(secret, strlen(secret)));
    assert_true(home_has(url, strlen(url)));
    expect_secret(id, secret);
    reopen();
    expect_secret(id, secret);
}

static void equal_secrets_look_different(void **state)
{
    char first[37];
    add("a", secret);
    memcpy(first, id, sizeof id);
    add("b", secret);
    int64_t different;
    tain_control_read(control);
    assert_ok(tain_control_done(control, tain_sql_number(control, "SELECT count(DISTINCT substr(sealed, 14)) FROM connection", NULL, 0, &different, &err)));
    assert_int_equal(different, 2);
    expect_secret(first, secret);
}

static void what_is_listed(void **state)
{
    tain_control_connections all;
    add("sealed", secret);
    add("by name", "env:SHOP_PASSWORD");
    add("none", NULL);
    assert_ok(tain_control_connection_list(control, (tain_control_page){0}, &all, &err));
    assert_int_equal(all.count, 3);
    assert_string_equal(all.rows[0].name, "sealed");
    assert_string_equal(all.rows[0].url, url);
    assert_true(all.rows[0].sealed && !all.rows[0].reference);
    assert_string_equal(all.rows[1].reference, "env:SHOP_PASSWORD");
    assert_false(all.rows[1].sealed);
    assert_true(!all.rows[2].sealed && !all.rows[2].reference);
    assert_true(all.rows[0].created > 0 && all.rows[0].created == all.rows[0].changed);
    tain_control_connections_done(&all);
}

static void references_are_looked_up(void **state)
{
    add("file", NULL);
    FILE *f = fopen(in_home("password"), "w");
    fprintf(f, "%s\n", secret);
    fclose(f);
    char *path = tain_format("file:%s", in_home("password"));
    assert_ok(tain_control_connection_rotate(control, id, path, &err));
    expect_secret(id, secret);
    tain_free(path);
    setenv("TAIN_TEST_SECRET", "from outside", 1);
    assert_ok(tain_control_connection_rotate(control, id, "env:TAIN_TEST_SECRET", &err));
    expect_secret(id, "from outside");
    unsetenv("TAIN_TEST_SECRET");
    assert_fails(reveal(), TAIN_E_CONFIG, "TAIN_TEST_SECRET");
    assert_int_equal(access(in_home("control.key"), F_OK), -1);
}

static void found_by_id_and_name(void **state)
{
    tain_control_connection n;
    add("Shop", secret);
    for (char *p = id; *p; p++)
        if (*p >= 'a') *p = (char)(*p - 32);
    assert_ok(tain_control_connection_get(control, id, &n, &err));
    assert_string_equal(n.name, "Shop");
    tain_control_connection_done(&n);
    expect_secret(id, secret);
    assert_ok(tain_control_connection_rotate(control, id, "another one", &err));
    expect_secret(id, "another one");
    assert_ok(tain_control_connection_find(control, "Shop", &n, &err));
    tain_control_connection_done(&n);
    assert_fails(tain_control_connection_find(control, "Shop2", &n, &err), TAIN_E_NOT_FOUND, "no connection 'Shop2'");
    assert_fails(tain_control_connection_rotate(control, "nowhere", secret, &err), TAIN_E_NOT_FOUND, "nowhere");
    assert_fails(tain_control_connection_secret(control, "nowhere", &(char *){NULL}, &err), TAIN_E_NOT_FOUND, "nowhere");
}

static void changes(void **state)
{
    tain_control_connection n;
    add("a", secret);
    assert_ok(tain_control_connection_rename(control, id, "b", &err));
    assert_ok(tain_control_connection_repoint(control, id, "postgresql://shop@other/shop", "other secret", &err));
    expect_secret(id, "other secret");
    assert_ok(tain_control_connection_get(control, id, &n, &err));
    assert_string_equal(n.name, "b");
    assert_string_equal(n.url, "postgresql://shop@other/shop");
    tain_control_connection_done(&n);
    assert_ok(tain_control_connection_repoint(control, id, "postgresql://shop@third/shop", NULL, &err));
    expect_secret(id, NULL);
    assert_ok(tain_control_connection_remove(control, id, &err));
    assert_fails(tain_control_connection_remove(control, id, &err), TAIN_E_NOT_FOUND, id);
}

/* --- what is refused ----------------------------------------------------------------------------------------------- */

static void names_are_unique(void **state)
{
    add("a", secret);
    assert_fails(tain_control_connection_add(control, "a", url, secret, id, &err), TAIN_E_EXISTS, "'a'");
    add("b", secret);
    assert_fails(tain_control_connection_rename(control, id, "a", &err), TAIN_E_EXISTS, "'a'");
    assert_fails(tain_control_connection_rename(control, id, "", &err), TAIN_E_INVALID, "needs a name");
}

static void a_url_has_no_password(void **state)
{
    static const char *const bad[] = {"postgresql://shop:Xq7-secret-secret@db/shop", "postgresql://db/shop?password=Xq7-secret-secret",
                                      "postgresql://shop:***@db/shop"};
    for (size_t i = 0; i < 3; i++) {
        assert_fails(tain_control_connection_add(control, "a", bad[i], NULL, id, &err), TAIN_E_INVALID, "password");
        assert_null(strstr(err.message, secret));
    }
    assert_fails(tain_control_connection_add(control, "a", "postgresql://db/shop?a=%41&pass%77ord=x", NULL, id, &err), TAIN_E_INVALID, "parameters by name");
    add("a", secret);
    assert_fails(tain_control_connection_repoint(control, id, bad[0], secret, &err), TAIN_E_INVALID, "password");
    assert_ok(tain_control_connection_repoint(control, id, "postgresql://db/shop?application_name=50%25", secret, &err));
    assert_fails(tain_control_connection_rotate(control, id, "", &err), TAIN_E_INVALID, "1 to 4,096 bytes");
    assert_fails(tain_control_connection_rotate(control, id, NULL, &err), TAIN_E_INVALID, "1 to 4,096 bytes");
    expect_secret(id, secret);
}

/* --- keys ---------------------------------------------------------------------------------------------------------- */

static void another_key(void **state)
{
    char other[37];
    add("a", secret);
    rewrite_key(32, 0600);
    assert_fails(reveal(), TAIN_E_CONFIG, in_home("control.key"));
    assert_fails(tain_control_connection_add(control, "b", url, secret, other, &err), TAIN_E_CONFIG, "is not the key");
    assert_fails(tain_control_connection_rotate(control, id, secret, &err), TAIN_E_CONFIG, "is not the key");
    assert_ok(tain_control_connection_remove(control, id, &err));
    add("b", secret);
    expect_secret(id, secret);
}

static void a_missing_key(void **state)
{
    add("a", secret);
    unlink(in_home("control.key"));
    assert_fails(reveal(), TAIN_E_CONFIG, in_home("control.key"));
    assert_non_null(strstr(err.message, "missing"));
    assert_fails(tain_control_connection_rotate(control, id, secret, &err), TAIN_E_CONFIG, "missing");
    assert_int_equal(access(in_home("control.key"), F_OK), -1);
    assert_non_null(strstr(err.remedy, "--secret env:LOST"));
    assert_ok(tain_control_connection_rotate(control, id, "env:LOST", &err));
    assert_ok(tain_control_connection_rotate(control, id, secret, &err));
    expect_secret(id, secret);
}

static void a_key_that_is_none(void **state)
{
    add("a", secret);
    rewrite_key(31, 0600);
    assert_fails(reveal(), TAIN_E_CONFIG, "31 bytes");
    rewrite_key(32, 0640);
    assert_fails(reveal(), TAIN_E_PERMISSION, in_home("control.key"));
    assert_non_null(strstr(err.remedy, "chmod 600"));
}

static void a_key_elsewhere(void **state)
{
    char *path = tain_format("%s", in_home("elsewhere"));
    tain_control_close(control);
    assert_ok(tain_control_open(home, path, &control, &err));
    add("a", secret);
    assert_int_equal(access(path, F_OK), 0);
    assert_int_equal(access(in_home("control.key"), F_OK), -1);
    tain_control_close(control);
    assert_ok(tain_control_open(home, path, &control, &err));
    expect_secret(id, secret);
    tain_free(path);
}

/* --- altered data -------------------------------------------------------------------------------------------------- */

static void each_byte_counts(void **state)
{
    tain_slice  bound = {(const uint8_t *)"here", 4}, there = {(const uint8_t *)"Here", 4};
    tain_buffer sealed = {0};
    uint8_t     key[32] = {7};
    char       *opened = NULL;
    assert_ok(tain_seal(key, bound, secret, &sealed, &err));
    assert_int_equal(sealed.size, 1 + 12 + strlen(secret) + 16);
    for (size_t i = 0; i < sealed.size; i++) {
        sealed.data[i] ^= 1;
        assert_int_equal(tain_unseal(key, bound, tain_buffer_slice(&sealed), &opened, &err), TAIN_E_CORRUPT);
        assert_null(strstr(err.message, secret));
        sealed.data[i] ^= 1;
        assert_int_equal(tain_unseal(key, bound, (tain_slice){sealed.data, i}, &opened, &err), TAIN_E_CORRUPT);
    }
    assert_int_equal(tain_unseal(key, there, tain_buffer_slice(&sealed), &opened, &err), TAIN_E_CORRUPT);
    assert_null(opened);
    assert_ok(tain_unseal(key, bound, tain_buffer_slice(&sealed), &opened, &err));
    assert_string_equal(opened, secret);
    tain_control_secret_free(opened);
    tain_buffer_done(&sealed);
}

static void a_secret_is_of_its_row(void **state)
{
    char first[37];
    add("a", secret);
    memcpy(first, id, sizeof id);
    add("b", "another secret");
    behind("UPDATE connection SET sealed = (SELECT sealed FROM connection WHERE name = 'a') WHERE name = 'b'");
    assert_fails(reveal(), TAIN_E_CORRUPT, id);
    assert_non_null(strstr(err.remedy, "password again"));
    expect_secret(first, secret);
    assert_ok(tain_control_connection_rotate(control, id, "mended", &err));
    expect_secret(id, "mended");
}

static void a_secret_is_of_its_address(void **state)
{
    add("a", secret);
    behind("UPDATE connection SET url = 'postgresql://shop@evil.example/shop'");
    assert_fails(reveal(), TAIN_E_CORRUPT, id);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_secret_is_sealed), TEST(equal_secrets_look_different), TEST(what_is_listed), TEST(references_are_looked_up), TEST(found_by_id_and_name),
        TEST(changes), TEST(names_are_unique), TEST(a_url_has_no_password), TEST(another_key), TEST(a_missing_key), TEST(a_key_that_is_none),
        TEST(a_key_elsewhere), TEST(each_byte_counts), TEST(a_secret_is_of_its_row), TEST(a_secret_is_of_its_address),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
