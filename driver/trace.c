// SPDX-License-Identifier: GPL-2.0
/* Defines the tracepoints of trace.h; all other files only declare them. */
#define CREATE_TRACE_POINTS
#include "trace.h"
