// SPDX-License-Identifier: GPL-2.0
// An error path after a failed leaf frees or removes the EPC page that was allocated for it.
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
