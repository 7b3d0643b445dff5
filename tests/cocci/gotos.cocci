// SPDX-License-Identifier: GPL-2.0
// A function cleans up by guards or by gotos, never by both.
@guards@
identifier function, label;
type T;
position p;
@@
T function(...)
{
... when any
guard(...)(...);
... when any
goto label@p;
... when any
}

@@
position guards.p;
identifier label;
@@
* goto label@p;
