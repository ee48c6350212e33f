"""Execution graphs: how hosts that reorder loads are modelled.

An *event* is one read or write of a place. A graph says which store each load reads from (`reads_from`), and in which
order the stores to one place take effect (`coherence`). A memory model adds a *local order* between events of one vCPU,
and allows a graph if that order, together with reads-from and coherence, has no cycle.

- `event`: events, and what is known of a vCPU at each of them.
- `model`: what a memory model says.
- `graph`: graphs, with the order that one has.
- `prefix`: what an event needs to be what it is.
- `bounds`: which stores a load may read, and where a store may go.
- `revisit`: earlier loads that a new store may feed.
- `linear`: an order in which the events take effect one by one.

Sources: M. Kokologiannakis, I. Marmanis, V. Gladstein, V. Vafeiadis, "Truly stateless, optimal dynamic partial order
reduction" (POPL 2022); M. Kokologiannakis, V. Vafeiadis, "HMC: Model checking for hardware memory models" (ASPLOS
2020).
"""
