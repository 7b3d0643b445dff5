// SPDX-License-Identifier: GPL-2.0
// Under the mutex of a chunk, no code accesses memory of user space or waits for an EPC page.
@@
struct sgx2_chunk *chunk;
identifier touch =~ "^(copy_(from|to)_user|copy_struct_from_user|get_user|put_user|pin_user_pages|mmap_read_lock|mmap_read_lock_killable|sgx2_reclaim_wait|sgx2_reclaim_try|sgx2_reclaim|sgx2_copy_in|sgx2_copy_out)$";
@@
  mutex_lock(&chunk->lock);
  ... when != mutex_unlock(&chunk->lock)
* touch(...)

@@
symbol mutex;
struct sgx2_chunk *chunk;
identifier touch =~ "^(copy_(from|to)_user|copy_struct_from_user|get_user|put_user|pin_user_pages|mmap_read_lock|mmap_read_lock_killable|sgx2_reclaim_wait|sgx2_reclaim_try|sgx2_reclaim|sgx2_copy_in|sgx2_copy_out)$";
@@
  guard(mutex)(&chunk->lock);
  ... when any
* touch(...)
