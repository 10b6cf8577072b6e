/* SPDX-License-Identifier: MIT */
/* text.h -- what is fit to be a name, a description, a URL without secrets. INVALID says why not. Thread: any. */
#ifndef TAIN_CONTROL_TEXT_H
#define TAIN_CONTROL_TEXT_H

#include "base/error.h"

/* UTF-8 of 1 to 256 characters, none of them a control character. what: of whom it is the name. */
tain_status tain_control_check_name(const char *what, const char *name, tain_error *err);
/* UTF-8 of at most 256 characters. NULL is fine. */
tain_status tain_control_check_description(const char *text, tain_error *err);
/* A URL or path that has no password or token in it, nor a parameter that could be one under a name in hex digits; the error shows none either. */
tain_status tain_control_check_address(const char *url, tain_error *err);

#endif
