// The page: the walk alone. `#step=N` in its address selects a step.

const asked = /^#step=(\d+)$/.exec(location.hash);
walk(document.body, JSON.parse(document.getElementById("data").textContent), {
  keys: document,
  start: asked ? Number(asked[1]) : undefined,
});
