/* SPDX-License-Identifier: MIT */
#include "net/tls.h"
