// Arrows between conflicting accesses: an arrow leaves a text, runs down in the gap between two columns, and enters a text.
// The arrow of a lasso runs up to the right of all texts, from the end of its cycle to the beginning.

const SHAPES = "http://www.w3.org/2000/svg";
function shape(tag, into, attributes) {
  const made = document.createElementNS(SHAPES, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  into.append(made);
  return made;
}
function drawArrows() {
  const cycle = ["cycle-begin", "cycle-end"].map((kind) => rows.findIndex((row) => data.kinds[row[KIND]] === kind));
  if (!data.arrows.length && cycle[0] < 0) return;
  const layer = shape("svg", body, { class: "arrows", width: body.clientWidth, height: Math.max(1, tops[view.length]) });
  data.arrows.forEach(([source, target, finding], number) => {
    const [a, b] = [rows[rowOf[source]], rows[rowOf[target]]], ends = [end(a), end(b)];
    if ([source, target].some((step) => view[lineOf[rowOf[step]]] !== rowOf[step])) return; // out of sight
    const y0 = tops[lineOf[rowOf[source]]] + 15, y1 = tops[lineOf[rowOf[target]]] + 7, spread = 3 * (number % 3);
    const rightward = a[COLUMN] < b[COLUMN];
    const x0 = ends[0][many || rightward ? 1 : 0], x1 = ends[1][many || !rightward ? 1 : 0];
    const turn = many ? Math.max(x0, x1) + 12 + spread : lefts[rightward ? b[COLUMN] : a[COLUMN]] - 10 + spread;
    const joint = shape("g", layer, { "data-source": source, "data-target": target, "data-finding": finding });
    drawArrow(joint, x0, y0, x1, y1, turn);
  });
  if (cycle[0] >= 0) drawCycle(layer, ...cycle);
}
function drawArrow(into, x0, y0, x1, y1, turn) {
  const tip = x1 > turn ? 7 : -7;
  shape("path", into, { d: `M${x0} ${y0}H${turn}V${y1}H${x1 - tip}` });
  shape("path", into, { d: `M${x1} ${y1}l${-tip} -4v8z`, class: "tip" });
}
function drawCycle(layer, begin, close) {
  if ([begin, close].some((row) => view[lineOf[row]] !== row)) return; // out of sight
  const ends = rows.slice(begin, close + 1).map((row) => (row[COLUMN] < 0 ? 0 : end(row)[1]));
  const turn = Math.min(Math.max(...ends) + 12, body.clientWidth - 8);
  const [y0, y1] = [close, begin].map((row) => tops[lineOf[row]] + HEIGHT / 2);
  drawArrow(shape("g", layer, { class: "cycle" }), ends.at(-1), y0, ends[0], y1, turn);
}
function end(row) { // where the text of a row begins and ends, with its frame
  const left = lefts[row[COLUMN]] + before(row) - 5;
  return [left, left + Math.max(...fitRow(row).map((line) => line.length)) * ch + 10];
}
