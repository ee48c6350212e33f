// Going from step to step, by keys, buttons and the pointer; and hovering.

// -- going to a step ---------------------------------------------------------------------------------------------------
let current = -1;
const guilty = [...new Set(rows.filter((row) => row[MARKS].length && row[STEP] >= 0).map((row) => row[STEP]))];
function go(step) {
  const before = current;
  current = Math.max(-1, Math.min(last, step));
  moveTo(current);
  showState();
  if (current >= 0) reveal(rowOf[current], folds);
  for (const mark of [before, current]) {
    const element = mark >= 0 ? drawn.get(lineOf[rowOf[mark]]) : null;
    if (element) element.classList.toggle("here", mark === current);
  }
  bringIntoSight();
  const all = `(0\u2013${last})`, start = last < 0 ? "no step yet" : `before step 0 ${all}`;
  count.textContent = current < 0 ? start : `step ${current} ${all}`;
  slider.value = current;
  root.dataset.step = current;
  options.stepped?.(current);
}
function goAndOpen(step) { // an explanation names this step, so it is shown by itself
  reveal(rowOf[step], [...folds, ...walks]);
  go(step);
}
function openHere() { if (current >= 0) goAndOpen(current); }
function bringIntoSight() {
  const top = current < 0 ? 0 : tops[lineOf[rowOf[current]]], room = trace.clientHeight - names.offsetHeight;
  if (top < trace.scrollTop + HEIGHT || top > trace.scrollTop + room - 3 * HEIGHT) {
    trace.scrollTop = tops[lineAt(Math.max(0, top - room / 3))];
  }
  draw();
  const element = current < 0 ? null : drawn.get(lineOf[rowOf[current]]);
  if (element && !element.classList.contains("fold") && element.scrollWidth > trace.clientWidth) {
    const cell = element.children[1 + rows[rowOf[current]][COLUMN]], side = element.firstChild.offsetWidth;
    const left = cell.offsetLeft - side, right = cell.offsetLeft + (cell.firstChild ?? cell).offsetWidth + 24;
    if (left < trace.scrollLeft || right > trace.scrollLeft + trace.clientWidth) {
      trace.scrollLeft = Math.max(0, Math.min(left - 16, right - trace.clientWidth / 2));
    }
  }
}
const nextGuilty = () => go(guilty.find((step) => step > current) ?? current);
const lastGuilty = () => go(guilty.findLast((step) => step < current) ?? current);
function toggleFolds() {
  const all = [...folds, ...walks], open = !all.some((each) => each.open);
  for (const each of all) each.open = open;
  layOut();
  bringIntoSight();
}
button(tools, "|\u25c0", "to the start (Home)", () => go(-1));
button(tools, "\u25c0", "a step back (arrow left)", () => go(current - 1));
button(tools, "\u25b6", "a step forward (arrow right)", () => go(current + 1));
button(tools, "\u25b6|", "to the end (End)", () => go(last));
if (guilty.length) button(tools, "next violation step", "to the next step of a violation (n)", nextGuilty);
if (folds.length || walks.length) button(tools, "fold", "fold or unfold (f)", toggleFolds);
const slider = make("input", tools);
Object.assign(slider, { type: "range", min: -1, max: last, value: -1 });
slider.setAttribute("aria-label", "step");
slider.addEventListener("input", () => go(Number(slider.value)));
const count = make("span", tools, "", "count");

const act = {
  ArrowRight: () => go(current + 1), ArrowDown: () => go(current + 1), j: () => go(current + 1),
  ArrowLeft: () => go(current - 1), ArrowUp: () => go(current - 1), k: () => go(current - 1),
  PageDown: () => go(current + 20), PageUp: () => go(current - 20), Home: () => go(-1), End: () => go(last),
  n: nextGuilty, p: lastGuilty, f: toggleFolds, Enter: openHere,
};
(options.keys ?? root).addEventListener("keydown", (pressed) => {
  if (pressed.ctrlKey || pressed.altKey || pressed.metaKey || pressed.target === slider) return;
  if (!Object.hasOwn(act, pressed.key) || (pressed.key === "Enter" && pressed.target.closest?.("button, a"))) return;
  act[pressed.key]();
  pressed.preventDefault();
  pressed.stopPropagation();
});
body.addEventListener("click", (pressed) => {
  const row = pressed.target.closest("[data-step]");
  if (row) go(Number(row.dataset.step));
});
trace.addEventListener("scroll", () => { hideTip(); draw(); }, { passive: true });
let laidOut = false; // a widget is filled before it has a place
new ResizeObserver(() => {
  if (!trace.clientHeight) return;
  measure();
  layOut();
  if (!laidOut) bringIntoSight();
  laidOut = true;
}).observe(trace);

// -- hovering: the places that a step touches, and what guards them ------------------------------------------------
function showTip(step, x, y) {
  moveTo(step);
  tip.replaceChildren();
  make("div", tip, `after step ${step}: ${texts[rows[rowOf[step]][TEXT]]}`);
  const table = make("table", tip);
  const touches = new Set(touched[step]);
  const old = new Map(changes[step].map(([place, before]) => [place, before]));
  for (const place of touches) tipLine(table, place, old.get(place));
  data.places.forEach((place, i) => {
    const value = texts[values[i]];
    const idle = ["free", "runs", "none", "?"].includes(value) || value.startsWith("node ")
      || (value === "empty" && place[0] !== "reservations");
    if (!touches.has(i) && !idle && place[0] !== "memory" && table.rows.length < 14) tipLine(table, i);
  });
  moveTo(current);
  tip.hidden = false;
  // Near the pointer, but clear of its row and the next ones, which the reader compares with it.
  const all = root.getBoundingClientRect(), frame = trace.getBoundingClientRect();
  const clear = 2.5 * HEIGHT, below = y + clear + tip.offsetHeight < all.bottom;
  const left = Math.min(x + 16, frame.right - tip.offsetWidth - 24);
  const top = below ? y + clear : Math.max(all.top, y - clear - tip.offsetHeight);
  tip.style.left = `${Math.max(frame.left, left) - all.left}px`;
  tip.style.top = `${top - all.top}px`;
}
function tipLine(table, place, before) {
  const line = make("tr", table), name = texts[data.places[place][1]], value = texts[values[place]];
  const held = data.places[place][0] === "locks" && value.startsWith("vCPU") ? `held by ${value}` : value;
  make("td", line, name);
  make("td", line, before === undefined ? held : `${texts[before]} \u2192 ${held}`);
  if (before !== undefined) line.className = "changed";
}
function hideTip() { tip.hidden = true; }
body.addEventListener("mousemove", (moved) => {
  const row = moved.target.closest("[data-step]");
  if (row && moved.target.closest(".cell")) showTip(Number(row.dataset.step), moved.clientX, moved.clientY);
  else hideTip();
});
body.addEventListener("mouseleave", hideTip);

measure();
layOut();
go(options.start ?? (guilty.length ? guilty[0] : -1));
root.dataset.ready = String(Math.round(performance.now()));
return { go, last, get step() { return current; } };
