// A page that is nothing but the walk: `#step=N` in its address asks for a step.

const asked = /^#step=(\d+)$/.exec(location.hash);
walk(document.body, JSON.parse(document.getElementById("data").textContent), {
  keys: document,
  start: asked ? Number(asked[1]) : undefined,
});
