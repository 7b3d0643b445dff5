// SPDX-License-Identifier: GPL-2.0
// An EPC page that was taken is not forgotten on the way out when a leaf fails.
@@
typedef sgx2_epc_t;
identifier epc, ret;
expression leaf, E;
@@
  sgx2_epc_t epc;
  ... when any
  ret = leaf(..., sgx2_epc_address(epc), ...);
  if (ret) {
  ... when != sgx2_epc_remove(epc)
      when != sgx2_epc_free(epc)
* return E;
  }
