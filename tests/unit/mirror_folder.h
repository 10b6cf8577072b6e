/* SPDX-License-Identifier: MIT */
/* mirror_folder.h -- the folder of a lake that a test makes, for mirror_fake.h, which includes it. */
#ifndef TAIN_TESTS_MIRROR_FOLDER_H
#define TAIN_TESTS_MIRROR_FOLDER_H

/* Every put is synced twice, which takes most of a test's time on a disk; a file system in memory with room spares it. */
static inline const char *lake_place(void)
{
    struct statvfs shm;
    if (getenv("TMPDIR")) return getenv("TMPDIR");
    bool room = statvfs("/dev/shm", &shm) == 0 && (uint64_t)shm.f_bavail * shm.f_frsize >= 1u << 30;
    return room && access("/dev/shm", W_OK | X_OK) == 0 ? "/dev/shm" : "/tmp";
}

static inline char *lake_make(void)
{
    char *folder = tain_format("%s/tain-mirror-XXXXXX", lake_place());
    assert_non_null(mkdtemp(folder));
    return folder;
}

static inline void lake_remove(char *folder)
{
    tain_store *s;
    assert_ok(tain_store_open(folder, false, &s, err));
    assert_ok(tain_store_remove_all(s, "", err));
    tain_store_close(s);
    rmdir(folder);
    free(folder);
}

#endif
