"""Optimal DPOR that goes back by undo: each Mazurkiewicz trace once, each race reversed once, in polynomial space.

**The partition.** The search stands at a trace T and picks an enabled actor p. Every complete execution F that extends
T belongs to exactly one class:

* the operation of p comes first, up to commutation: the search performs it (a *default* step);
* or F has events that conflict with the operation of p and come before it. Let c be the first of them, and D the events
  of F after T that happen before c. (Several such events may be independent of each other; then c is the one of the
  least actor.) The search goes from T to T·D·c and performs p there. D·c is the *schedule*, c its *head*.

So the classes of a node form a tree without overlap, and every node of it has a leaf: no sleep set, no wake-up tree, no
execution that is redundant or blocked.

**Each class is found once.** The class of (T, p, D, c) is found in the subtree of T·p, when D·c becomes complete there,
on one path only: the path that takes the default step wherever D·c allows it. Seen from the path: the race of the
default step p with c is reversed exactly if each head between p and c happens before c or is c. This is one
comparison of bit masks. The steps within a schedule are no defaults, so they are never reversed again.

That the path exists in the subtree of T·p follows by induction on the length of T from the end, since it only uses
classes of longer traces. Hence every class is found, and so every trace.

**Space.** A schedule may be kept at its node until the subtree of T·p is finished, or explored at once: then the rest
of the path is set aside and repeated afterwards. In one chain of schedules each pair (p, c) is reversed at most once,
because c stays where it is in all that is derived. So at most n² paths of n events are set aside.

**Uncertain operations.** What D is can be read off the path, unless p decides whether c is enabled or writes. Then D is
tried: see `simaie_schedulers.undo.waits`.

The conditions correspond to parsimonious race reversal, eager race reversal and the characterisation of sleep sets in
P. Abdulla, M. Faouzi Atig, S. Das, B. Jonsson, K. Sagonas, "Parsimonious Optimal Dynamic Partial Order Reduction" (CAV
2024); setting a path aside is what M. Kokologiannakis, I. Marmanis, V. Gladstein, V. Vafeiadis, "Truly Stateless,
Optimal Dynamic Partial Order Reduction" (POPL 2022) do for execution graphs. The formulation as a partition and the
rules of waiting operations (`simaie_schedulers.undo.waits`) are this project's: argued above, and tested against the
enumeration of all interleavings of generated programs, not proved formally.
"""
