/* SPDX-License-Identifier: MIT */
/* mirror_epochs.h -- what a lake's epoch records tell, against the script of mirror_fake.h, which includes it. */
#ifndef TAIN_TESTS_MIRROR_EPOCHS_H
#define TAIN_TESTS_MIRROR_EPOCHS_H

typedef struct fake_epochs { char *keys[4096]; size_t count; } fake_epochs;

static inline bool fake_note_epoch(void *ctx, const tain_object *o)
{
    fake_epochs *e = ctx;
    assert_in_range(e->count, 0, 4095);
    e->keys[e->count++] = tain_strdup(o->key);
    return true;
}

static inline json_t *fake_epoch(tain_store *lake, const char *key)
{
    tain_buffer text = {0};
    json_t *o;
    assert_ok(tain_store_get(lake, key, 0, -1, &text, err));
    assert_ok(tain_json_parse(text.data, text.size, key, &o, err));
    tain_buffer_done(&text);
    return o;
}

/* At every epoch, the newest listed version of each listed table is what the source had at the epoch's position; epochs
 * go forward. A table that an epoch names as apart is looked at again when it is listed again. Returns how many epochs
 * there are. */
static inline size_t fake_check_epochs(tain_store *lake)
{
    fake_epochs all = {0};
    int64_t newest[FAKE_TABLES], number = 0;
    bool apart[FAKE_TABLES] = {0};
    size_t last = 0;
    for (int t = 0; t < FAKE_TABLES; t++) newest[t] = -1;
    assert_ok(tain_store_list(lake, "_tain/epochs/0", NULL, fake_note_epoch, &all, err));
    for (size_t i = 0; i < all.count; i++) {
        json_t *o = fake_epoch(lake, all.keys[i]);
        size_t position = strtoul(tain_json_get_str(o, "position", ""), NULL, 10);
        assert_true(tain_json_get_int(o, "epoch", 0) > number);
        assert_true(position >= last);
        number = tain_json_get_int(o, "epoch", 0);
        last = position;
        for (int t = 0; t < fake.table_count; t++) {
            fake_content c = fake_content_at(t, position);
            char *name = tain_format("%s.%s", fake.tables[t].schema, c.name ? c.name : fake.tables[t].first_name);
            free(c.rows);
            const json_t *listed = json_object_get(json_object_get(o, "tables"), name);
            apart[t] = (apart[t] && !listed) || json_object_get(json_object_get(o, "apart"), name);
            free(name);
            if (listed) newest[t] = tain_json_get_int(listed, "version", -1);
            if (newest[t] >= 0 && !apart[t]) fake_check_version(lake, t, newest[t], position);
        }
        json_decref(o);
        free(all.keys[i]);
    }
    return all.count;
}

static inline size_t fake_last_position(tain_store *store)
{
    fake_epochs all = {0};
    size_t position = 0;
    assert_ok(tain_store_list(store, "_tain/epochs/0", NULL, fake_note_epoch, &all, err));
    for (size_t i = 0; i < all.count; i++) {
        json_t *o = i + 1 == all.count ? fake_epoch(store, all.keys[i]) : NULL;
        if (o) position = strtoul(tain_json_get_str(o, "position", ""), NULL, 10);
        json_decref(o);
        free(all.keys[i]);
    }
    return position;
}

#endif
