
// The player: the walk in a cell. It shares its step with the kernel.
function render({ model, el }) {
  const { box, leave } = frame(el);
  let heard = model.get("step");
  const player = walk(make("div", box), model.get("document"), {
    keys: box,
    start: heard,
    stepped: (step) => {
      if (step === heard) return;
      heard = step;
      model.set("step", step);
      model.save_changes();
    },
  });
  const follow = () => { heard = model.get("step"); if (heard !== player.step) player.go(heard); };
  model.on("change:step", follow);
  return () => { model.off("change:step", follow); leave(); };
}
export default { render };
