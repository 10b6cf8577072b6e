/* SPDX-License-Identifier: MIT */
#include "serve/supervisor/supervisor.h"
