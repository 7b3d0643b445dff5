// SPDX-License-Identifier: GPL-2.0
// A zap takes locks of the kernel and may sleep, so no lock but the mutex of a chunk is held during it.
@@
symbol spinlock;
expression lock;
@@
  guard(spinlock)(lock);
  ... when any
* sgx2_pte_zap(...)

@@
symbol mutex;
expression E;
@@
  guard(mutex)(&E->track_lock);
  ... when any
* sgx2_pte_zap(...)

@@
expression lock;
identifier take =~ "^(spin_lock|spin_lock_irq|spin_lock_bh|read_lock|write_lock)$", give =~ "^(spin|read|write)_unlock";
@@
  take(lock);
  ... when != give(lock)
* sgx2_pte_zap(...)

@@
expression E;
@@
  mutex_lock(&E->track_lock);
  ... when != mutex_unlock(&E->track_lock)
* sgx2_pte_zap(...)
