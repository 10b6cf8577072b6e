/* SPDX-License-Identifier: MIT */
#include "serve/auth/auth.h"
