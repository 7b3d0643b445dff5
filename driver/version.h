/* SPDX-License-Identifier: GPL-2.0 */
/* The release: MODULE_VERSION, packages and CHANGELOG.md take it from here (scripts/version). */
#ifndef SGX2_VERSION_H
#define SGX2_VERSION_H

#define SGX2_VERSION "0.1"

#endif
