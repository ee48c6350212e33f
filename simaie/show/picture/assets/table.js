// The table: only the rows in sight exist as elements. Text from the data is only ever set as text.

// -- the frame ----------------------------------------------------------------------------------------------------
root.classList.add("walk");
const head = make("header", root);
const heading = make("h1", head);
if (data.verdict) make("b", heading, data.verdict, "verdict");
heading.append(data.verdict ? ` ${data.title}` : data.title);
const tools = make("div", head, undefined, "tools");
const trace = make("section", root);
trace.id = "trace";
trace.tabIndex = 0;
trace.setAttribute("aria-label", "the execution, one column per vCPU, time downward");
const aside = make("aside", root);
const footer = make("footer", root);
const tip = make("div", root);
tip.id = "tip";
tip.hidden = true;
const names = make("div", trace, undefined, "names");
const body = make("div", trace, undefined, "rows");
make("span", make("div", names, undefined, "gutter"), "step");
const many = data.columns.length > 8; // then a column is a bare lane, and a text covers the lanes to its right
data.columns.forEach((name, i) => make("div", names, many ? name.replace(/^vCPU /, "") : name).style.setProperty("--c", colour(i)));
function colour(column) { return `var(--c${column % COLOURS})`; }

// -- how wide the columns are -------------------------------------------------------------------------------------
// A column is as wide as its longest text if all fit. If not, the widest give up room first, down to a number of characters.
const MOST = 120, LANE = 3.4;
let room = { head: 14, operation: 29, after: 24 }; // pixels before a heading and an operation, and after a text
const wanted = data.columns.map((name) => name.length);
for (const row of rows) if (row[COLUMN] >= 0) wanted[row[COLUMN]] = Math.max(wanted[row[COLUMN]], texts[row[TEXT]].length);
for (const [first, , text] of data.walks) wanted[rows[first][COLUMN]] = Math.max(wanted[rows[first][COLUMN]], texts[text].length);
let ch = 8, gutter = 96, lefts = [], widths = [], grid = "";
function measure() {
  const ruler = make("span", body, "0".repeat(100), "ruler"), digits = String(Math.max(last, 0)).length;
  ch = ruler.getBoundingClientRect().width / 100 || ch;
  ruler.remove();
  const narrow = root.clientWidth <= 480, around = narrow ? 32 : 53;
  room = narrow ? { head: 8, operation: 13, after: 15 } : { head: 14, operation: 29, after: 24 };
  root.style.setProperty("--head", `${room.head}px`);
  root.style.setProperty("--operation", `${room.operation}px`);
  const marks = Math.max(0, ...rows.map((row) => mark(row).length));
  const parts = [Math.max(4, walks.length ? 2 * digits + 1 : digits), narrow ? 2 : 2.5, marks + (narrow ? 0.2 : 0.5)].map((chars) => chars * ch);
  root.style.setProperty("--gutter", parts.map((width) => `${width}px`).join(" "));
  const edge = narrow ? 2 : 6;
  root.style.setProperty("--edge", `${edge}px`);
  gutter = Math.ceil(parts.reduce((sum, width) => sum + width, 2 * edge));
  const natural = wanted.map((width) => Math.min(width, MOST) * ch + around), longest = Math.max(0, ...wanted);
  widths = many ? wanted.map(() => LANE * ch) : fit(natural, trace.clientWidth - gutter, (narrow ? 16 : 26) * ch + around);
  lefts = widths.map((_, i) => gutter + widths.slice(0, i).reduce((sum, width) => sum + width, 0));
  grid = [gutter, ...widths].map((width) => `${width}px`).join(" ");
  const all = gutter + widths.reduce((sum, width) => sum + width, 0) + (many ? Math.min(80, longest) * ch : 0);
  for (const element of [names, body]) element.style.width = `max(100%, ${all}px)`;
  names.style.gridTemplateColumns = grid;
}
function fit(natural, all, least) {
  const total = natural.reduce((sum, width) => sum + width, 0);
  if (total <= all) return natural.map((width) => width + (all - total) / natural.length);
  let left = all, cap = all;
  [...natural].sort((a, b) => a - b).forEach((width, i) => {
    const share = left / (natural.length - i);
    if (width > share) cap = Math.min(cap, share);
    else left -= width;
  });
  return natural.map((width) => Math.min(width, Math.max(cap, least)));
}
function before(row) { return ["operation", "drain"].includes(data.kinds[row[KIND]]) ? room.operation : room.head; }
function charsFor(column, indent) { return many ? 80 : Math.max(12, Math.floor((widths[column] - indent - room.after) / ch)); }
function fitRow(row) { return textLines(row[TEXT], charsFor(row[COLUMN], before(row))); }
function fitWalk(walk) { // after its triangle
  return textLines(walk.text, charsFor(rows[walk.to][COLUMN], room.head + 2 * ch));
}
function mark(row) { return row[MARKS].length ? `>${row[MARKS].slice(0, 3)}${row[MARKS].length > 3 ? "+" : ""}` : ""; }

// -- which rows are there: all but those of closed folds and walks ------------------------------------------------
const rowOf = new Int32Array(last + 1); // by step
rows.forEach((row, i) => { if (row[STEP] >= 0) rowOf[row[STEP]] = i; });
const folds = data.hidden.map(([from, to]) => ({ from, to, open: false }));
const walks = data.walks.map(([from, to, text]) => ({ from, to, text, open: false }));
let view = []; // what is on each line: the number of a row, a fold, or a walk
let lineOf = new Int32Array(rows.length);
let tops = new Float64Array(1); // where each line begins, and where the last one ends
function layOut() {
  view = [];
  const closed = new Map();
  for (const each of [...walks, ...folds]) if (!each.open) closed.set(each.from, each); // a fold covers its walks
  for (let row = 0; row < rows.length;) {
    const item = closed.get(row) ?? row, to = item === row ? row : item.to;
    for (; row <= to; row++) lineOf[row] = view.length;
    view.push(item);
  }
  tops = new Float64Array(view.length + 1);
  view.forEach((item, line) => { tops[line + 1] = tops[line] + HEIGHT + LEADING * (linesOf(item).length - 1); });
  body.style.height = `${tops[view.length]}px`;
  redraw();
}
const NO_TEXT = [""];
function linesOf(item) {
  if (typeof item === "number") return rows[item][COLUMN] < 0 ? NO_TEXT : fitRow(rows[item]);
  return item.text === undefined ? NO_TEXT : fitWalk(item);
}
function lineAt(y) { // the line at this height
  let low = 0, high = view.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (tops[middle + 1] <= y) low = middle + 1;
    else high = middle;
  }
  return low;
}
function reveal(row, among) { // opens what hides the row
  const hiding = among.filter((each) => !each.open && each.from <= row && row <= each.to);
  for (const each of hiding) each.open = true;
  if (hiding.length) layOut();
}

const drawn = new Map(); // line -> element
function redraw() {
  drawn.clear();
  body.replaceChildren();
  drawArrows();
  draw();
}
function draw() {
  const from = Math.max(0, lineAt(trace.scrollTop) - MARGIN);
  const to = Math.min(view.length, lineAt(trace.scrollTop + trace.clientHeight) + 1 + MARGIN);
  for (const [line, element] of drawn) if (line < from || line >= to) { element.remove(); drawn.delete(line); }
  for (let line = from; line < to; line++) if (!drawn.has(line)) drawn.set(line, drawLine(line));
}
function drawLine(line) {
  const item = view[line];
  const element = make("div", body, undefined, "row");
  element.style.top = `${tops[line]}px`;
  element.style.height = `${tops[line + 1] - tops[line]}px`;
  if (typeof item === "number") drawRow(element, rows[item]);
  else if (item.text === undefined) drawFold(element, item);
  else drawWalk(element, item);
  return element;
}
function drawFold(element, fold) {
  let steps = 0;
  for (let row = fold.from; row <= fold.to; row++) if (rows[row][STEP] >= 0) steps++;
  element.classList.add("fold");
  opener(element, fold, `\u2026 ${steps} steps folded \u2026`);
}
function opener(into, fold, words) {
  const made = button(into, words, "show these steps (Enter)", () => {
    fold.open = true;
    layOut();
    drawn.get(lineOf[fold.from])?.querySelector("button")?.focus({ preventScroll: true });
    trace.focus({ preventScroll: true });
  });
  made.className = "opener";
  made.setAttribute("aria-expanded", "false");
}
function drawWalk(element, walk) {
  const first = rows[walk.from], end = rows[walk.to];
  element.classList.toggle("here", current >= first[STEP] && current <= end[STEP]);
  const { cell } = drawCells(element, end, `${first[STEP]}\u2013${end[STEP]}`, rows.slice(walk.from, walk.to + 1));
  opener(cell, walk, `\u25b8 ${fitWalk(walk).join("\n")}`);
  cell.classList.add("op", "steps");
}
function drawRow(element, row) {
  const step = row[STEP];
  if (step >= 0) { element.dataset.step = step; element.classList.toggle("here", step === current); }
  const { cell, marks } = drawCells(element, row, step >= 0 ? step : "", [row]);
  marks.textContent = mark(row);
  if (row[MARKS].length > 3) marks.title = `>${row[MARKS]}`;
  if (!cell) return;
  const full = texts[row[TEXT]], shown = fitRow(row), words = make("span", cell, shown.join("\n"));
  if (words.textContent !== full) words.title = full;
  if (shown.length > 1) words.className = "lines";
  cell.classList.add(CLASSES[data.kinds[row[KIND]]]);
  if (row[MARKS].length) cell.classList.add("guilty");
}
function drawCells(element, row, number, shown) {
  element.style.gridTemplateColumns = grid;
  const side = make("div", element, undefined, "gutter");
  make("span", side, number);
  const switched = shown.some((each) => each[SWITCHED]), early = shown.some((each) => each[EARLY]);
  make("i", side, switched ? "~" : early ? "^" : "").title = switched ? "the scheduler switched here" : early ? "it took effect before earlier accesses of its vCPU" : "";
  const marks = make("b", side), lanes = texts[row[LANES]];
  const cells = data.columns.map((_, column) => {
    const made = make("div", element, undefined, `cell ${lanes[column]}`);
    made.style.setProperty("--c", colour(column));
    return made;
  });
  return { cell: cells[row[COLUMN]], marks };
}
