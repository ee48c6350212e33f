"""Memoised vCPUs: what a vCPU does is worked out once, and then followed by look-ups.

**The idea.** A vCPU is a deterministic function of the results that its operations returned. So its behaviour is a
tree. A *node* (`Node`) holds what the vCPU announces after one history of results, and all that the engine or a trace
can see of it there. An *edge* is a result, and leads to the next node. Executions follow edges. Only where an edge is
missing (a *miss*) does Python code of guests and schemes run: a live coroutine that stands at the node (`Runner`) is
sent the result, or a fresh one is first fed the whole history.

**A memo execution** (`MemoExecution`) is an `simaie.engine.execution.Execution` whose actors are resumed by an edge
instead of ``coroutine.send``. On a sequentially consistent host one loop performs plain steps and mutexes
(`simaie.engine.memo.quick`), and a trace is made when it is asked for (`simaie.engine.memo.lazy`). Monitors tell
whether the checkers have to ask for it (`simaie.engine.memo.monitors`). Other waiting, store buffers, devices, choices,
spin detection and limits are the code that the other drivers use, so the drivers cannot differ. The reference engine
(`simaie.engine.inline`) defines what happens. The memo remembers it.

**Walks** (`simaie.engine.memo.walks`) go one step further. The states of the whole program make a graph, too, as long
as nothing happens but accesses and mutexes. A uniform random execution is a path in it, which needs no actors.

**Identity.** One scheme, one host port and one page table serve all executions of a memo. A cell that a vCPU makes is
identified by its maker, the place in the maker's history, and its name (`MemoHost`), so that a coroutine that is fed
its history again gets the cell that the first one made. An object that simaie's own code makes of constants is the same
in all histories of its maker, which then do not multiply the histories of those that find it. Two vCPUs that race to
make the same entry make two. The values of cells are set back to their initial values before each execution.

**What a memo cannot remember.** A payload of an operation that may change behind the memo's back (a list, an object of
an unknown class, a closure over a variable that the coroutine assigns again) is *unsettled* (`simaie.engine.memo.
settled`). The execution that meets it is still exact, because the live coroutine that made it continues. The memo is
then given up, and the reference engine runs the rest. Likewise if Python state that guests share changes
(`simaie.engine.memo.shared`): that execution is run again by the reference engine and compared.

**For searches that go back by undo.** The whole state of an execution between two steps is: the node of each vCPU, the
values of cells (`Cell.value`), the bytes of RAM, the reservations and store buffers of the host memory, the AWAITs that
must come before a look (`Node.wait`), the owner of a stopped world, the threads that are done, and the free identities.
A node never changes once it is made. Which actors are enabled is a function of this state
(`simaie.engine.waiting.Waiting`). Thus a search can copy nodes as pointers, note old values as it goes, and put them
back.
"""
