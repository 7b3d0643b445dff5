// SPDX-License-Identifier: GPL-2.0
// No lock but a chunk's is held over a zap, which takes locks of the kernel's own and may sleep.
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
