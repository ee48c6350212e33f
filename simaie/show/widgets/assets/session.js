
// The choice of a schedule: buttons for the vCPUs that can go next, above the walk through the steps so far.
function render({ model, el }) {
  const { shadow, box, leave } = frame(el);
  const ask = (what) => model.send(what);
  const bar = make("div", box, undefined, "bar");
  box.classList.add("tall");
  const top = make("div", bar, undefined, "controls");
  const status = make("div", top, "", "status");
  const hint = make("span", top, "keys: the number of a vCPU, u to undo", "hint");
  status.setAttribute("role", "status");
  const moves = make("div", bar, undefined, "moves");
  const tools = make("div", bar, undefined, "controls");
  const undo = button(tools, "undo", "take the last step back (u)", () => ask({ do: "undo" }));
  const restart = button(tools, "start over", "back to before the first step", () => ask({ do: "restart" }));
  const schedulers = make("select", make("label", tools, "run on by "));
  for (const name of model.get("document").session.schedulers) make("option", schedulers, name);
  schedulers.value = "random-walk";
  const seed = make("input", make("label", tools, "seed "));
  Object.assign(seed, { type: "number", value: 0, min: 0, step: 1 });
  const run = button(tools, "run", "let the scheduler go on to the end", () => {
    ask({ do: "run", scheduler: schedulers.value, seed: Math.trunc(Number(seed.value)) || 0 });
    seed.stepUp();
  });
  const path = make("input", make("label", tools, "file "));
  Object.assign(path, { type: "text", value: "schedule.json", size: 16 });
  button(tools, "save", "write a replay file, or the schedule", () => ask({ do: "save", path: path.value }));
  const said = make("div", bar, "", "said");
  said.setAttribute("role", "alert");

  let view = null;
  function show() {
    const data = model.get("document"), session = data.session, focused = shadow.activeElement !== null;
    status.textContent = session.status;
    status.classList.toggle("violated", session.violated);
    moves.replaceChildren();
    for (const move of session.moves) showMove(move);
    for (const choice of session.choices) showChoice(choice);
    undo.disabled = restart.disabled = !data.changes.length;
    run.disabled = hint.hidden = session.ended;
    const fresh = make("div");
    if (view) view.replaceWith(fresh);
    else box.append(fresh);
    view = fresh;
    walk(view, data, { start: data.changes.length - 1 });
    view.removeAttribute("data-ready");
    box.dataset.steps = data.changes.length;
    if (focused) view.querySelector("#trace").focus({ preventScroll: true });
  }
  function showMove(move) {
    const made = button(moves, "", move.enabled ? `let ${move.title} go on` : "it has to wait",
      () => ask({ do: "step", args: [move.actor] }));
    made.disabled = !move.enabled;
    made.dataset.actor = move.actor;
    made.style.setProperty("--c", `var(--c${move.column % 7})`);
    make("b", made, move.title);
    make("span", made, move.enabled ? move.words : `waits: ${move.words}`);
  }
  function showChoice(choice) {
    const row = make("span", moves, `${choice.what}:`, "choice");
    for (let value = 0; value < choice.arity; value++) {
      const made = button(row, String(value), `resolve it as ${value}`,
        () => ask({ do: "choose", args: [value], step: choice.step }));
      made.disabled = value === choice.value;
    }
  }
  function tell() { said.textContent = model.get("said"); }
  box.addEventListener("keydown", (pressed) => {
    if (pressed.ctrlKey || pressed.altKey || pressed.metaKey || pressed.target.closest("input, select")) return;
    const move = model.get("document").session.moves.find((m) => m.enabled && m.actor === pressed.key);
    if (move) ask({ do: "step", args: [move.actor] });
    else if (pressed.key === "u") ask({ do: "undo" });
    else return;
    pressed.preventDefault();
    pressed.stopPropagation();
  });
  model.on("change:document", show);
  model.on("change:said", tell);
  show();
  tell();
  return () => { model.off("change:document", show); model.off("change:said", tell); leave(); };
}
export default { render };
