"""The executions of programs on hosts whose executions are graphs (`simaie.host.graph`).

- `memo`: what vCPUs announce after each history of results, fed with numbers that carry their dependencies.
- `label`: the events of an operation, worked out once for each node of the memo.
- `layout`: how places in RAM are cut into pieces, and how many events there is room for.
- `walk`: grows one graph to its end.
- `search`: visits each graph once.
- `trace`: the trace of a finished graph.
"""
