/* SPDX-License-Identifier: MIT */
/* folder.h -- folders of the local file system. Thread: any. */
#ifndef TAIN_BASE_FOLDER_H
#define TAIN_BASE_FOLDER_H

#include <stdbool.h>

/* Makes the folder and those above it, where they are not there. durable: so that they outlive a crash of the machine, if
 * that is permitted. False: errno says why. */
bool tain_make_folder(const char *path, bool durable);

/* What was made, renamed or removed in the folder outlives a crash of the machine. False: errno says why. */
bool tain_sync_folder(const char *path);
/* The same of the folder that the path is in. */
bool tain_sync_parent(const char *path);

/* Removes the folder with all that is in it; links are not followed. Not being there is fine. False: errno says why. */
bool tain_remove_folder(const char *path);

/* TMPDIR, or where else what need not last goes. */
const char *tain_temp_folder(void);

#endif
