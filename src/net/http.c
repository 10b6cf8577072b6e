/* SPDX-License-Identifier: MIT */
#include "net/http.h"
