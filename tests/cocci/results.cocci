// SPDX-License-Identifier: GPL-2.0
// The result of each leaf of ENCLS is used: no leaf is called for its effect alone.
@@
identifier leaf =~ "^sgx2_e(create|add|extend|init|remove|dbgrd|dbgwr|ldu|block|pa|wb|track|aug|modpr|modt|rdinfo|updatesvn)$";
@@
* leaf(...);
