
// The element of a widget in the notebook: its style stays inside it, and it is dark where the notebook is.
function frame(el) {
  const host = make("div", el);
  host.setAttribute("data-lm-suppress-shortcuts", "true"); // JupyterLab's keys stay outside
  const shadow = host.attachShadow({ mode: "open" });
  make("style", shadow, STYLE);
  const box = make("div", shadow, undefined, "frame");
  box.tabIndex = -1; // a click anywhere in it gives it the keyboard
  const dress = () => host.classList.toggle("dark", isDark());
  const watching = new MutationObserver(dress), system = matchMedia("(prefers-color-scheme: dark)");
  watching.observe(document.body, { attributes: true });
  system.addEventListener("change", dress);
  dress();
  const leave = () => { watching.disconnect(); system.removeEventListener("change", dress); };
  return { shadow, box, leave };
}
// What JupyterLab and VS Code say about their theme; elsewhere what the system prefers.
function isDark() {
  const { jpThemeLight, vscodeThemeKind } = document.body.dataset;
  if (jpThemeLight !== undefined) return jpThemeLight === "false";
  if (vscodeThemeKind !== undefined) return ["vscode-dark", "vscode-high-contrast"].includes(vscodeThemeKind);
  return matchMedia("(prefers-color-scheme: dark)").matches;
}
