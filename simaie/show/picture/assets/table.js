// The rows in sight; only they exist as elements. Text from the data is only ever set as text.

// -- the frame ----------------------------------------------------------------------------------------------------
root.classList.add("walk");
const head = make("header", root);
make("h1", head, data.title);
const tools = make("div", head, undefined, "tools");
const trace = make("section", root);
trace.id = "trace";
trace.tabIndex = 0;
trace.setAttribute("aria-label", "the execution, one column per vCPU, time downward");
const aside = make("aside", root);
const tip = make("div", root);
tip.id = "tip";
tip.hidden = true;

const widths = data.columns.map((name) => name.length + 4);
for (const row of rows) {
  if (row[COLUMN] >= 0) widths[row[COLUMN]] = Math.max(widths[row[COLUMN]], texts[row[TEXT]].length + 5);
}
// A few columns share the room; many are no more than lanes, over which the texts run on to the right.
const MANY = 8, many = data.columns.length > MANY;
const rightmost = widths.length - 1; // it has nobody to run on over
const narrow = widths.map((width, i) => (many ? 3.4 : Math.min(width, i === rightmost ? 64 : 30)));
const room = many ? Math.min(80, Math.max(0, ...widths)) : 0;
const grid = "7.4em " + widths.map((width, i) =>
  many ? `${narrow[i]}ch` : `minmax(${narrow[i]}ch, ${Math.min(width, i === rightmost ? 64 : 48)}fr)`).join(" ");
const breadth = `max(100%, calc(7.4em + ${narrow.reduce((sum, width) => sum + width, room)}ch))`;
const names = make("div", trace, undefined, "names");
names.style.gridTemplateColumns = grid;
names.style.width = breadth;
make("div", names, "step");
data.columns.forEach((name, i) => make("div", names, many ? name.replace(/^vCPU /, "") : name).style.setProperty("--c", colour(i)));
const body = make("div", trace, undefined, "rows");
body.style.width = breadth;
function colour(column) { return `var(--c${column % COLOURS})`; }

// -- which rows are there: all, but for what is folded -------------------------------------------------------------
const rowOf = new Int32Array(last + 1); // by step
rows.forEach((row, i) => { if (row[STEP] >= 0) rowOf[row[STEP]] = i; });
let folds = data.hidden.map((fold) => ({ from: fold[0], to: fold[1], open: false }));
let view = []; // what is on each line: the number of a row, or a fold
let lineOf = new Int32Array(rows.length);
function layOut() {
  view = [];
  let row = 0;
  for (const fold of [...folds, { from: rows.length, to: rows.length }]) {
    for (; row < fold.from; row++) { lineOf[row] = view.length; view.push(row); }
    if (fold.from < rows.length && !fold.open) {
      for (; row <= fold.to; row++) lineOf[row] = view.length;
      view.push(fold);
    }
  }
  body.style.height = `${view.length * HEIGHT}px`;
  drawn.clear();
  body.replaceChildren();
  draw();
}

const drawn = new Map(); // line -> element
function draw() {
  const from = Math.max(0, Math.floor(trace.scrollTop / HEIGHT) - MARGIN);
  const to = Math.min(view.length, Math.ceil((trace.scrollTop + trace.clientHeight) / HEIGHT) + MARGIN);
  for (const [line, element] of drawn) if (line < from || line >= to) { element.remove(); drawn.delete(line); }
  for (let line = from; line < to; line++) if (!drawn.has(line)) drawn.set(line, drawLine(line));
}
function drawLine(line) {
  const item = view[line];
  const element = make("div", body, undefined, "row");
  element.style.top = `${line * HEIGHT}px`;
  if (typeof item === "number") drawRow(element, rows[item]);
  else drawFold(element, item);
  return element;
}
function drawFold(element, fold) {
  let steps = 0;
  for (let row = fold.from; row <= fold.to; row++) if (rows[row][STEP] >= 0) steps++;
  element.classList.add("fold");
  element.textContent = `\u2026 ${steps} steps folded \u2026`;
  element.addEventListener("click", () => { fold.open = true; layOut(); });
}
function drawRow(element, row) {
  const step = row[STEP];
  element.style.gridTemplateColumns = grid;
  if (step >= 0) { element.dataset.step = step; element.classList.toggle("here", step === current); }
  const gutter = make("div", element, undefined, "gutter");
  make("span", gutter, step >= 0 ? step : "");
  make("i", gutter, row[SWITCHED] ? "~" : "").title = row[SWITCHED] ? "the scheduler switched here" : "";
  make("b", gutter, row[MARKS].length ? ">" + row[MARKS].join(",") : "");
  const lanes = texts[row[LANES]];
  data.columns.forEach((_, column) => {
    const mine = column === row[COLUMN];
    const cell = make("div", element, undefined, `cell ${lanes[column]}`);
    cell.style.setProperty("--c", colour(column));
    if (mine) {
      make("span", cell, texts[row[TEXT]]);
      cell.classList.add(CLASSES[data.kinds[row[KIND]]]);
      if (row[MARKS].length) cell.classList.add("guilty");
    }
  });
}
