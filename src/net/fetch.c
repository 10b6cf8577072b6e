/* SPDX-License-Identifier: MIT */
#include "net/fetch.h"
