// Arrows between conflicting accesses: an arrow leaves a text, runs down in the gap between two columns, and enters a text.

const SHAPES = "http://www.w3.org/2000/svg";
function shape(tag, into, attributes) {
  const made = document.createElementNS(SHAPES, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  into.append(made);
  return made;
}
function drawArrows() {
  if (!data.arrows.length) return;
  const layer = shape("svg", body, { class: "arrows", width: body.clientWidth, height: Math.max(1, tops[view.length]) });
  data.arrows.forEach(([source, target, finding], number) => {
    const [a, b] = [rows[rowOf[source]], rows[rowOf[target]]], ends = [end(a), end(b)];
    if ([source, target].some((step) => view[lineOf[rowOf[step]]] !== rowOf[step])) return; // out of sight
    const y0 = tops[lineOf[rowOf[source]]] + 15, y1 = tops[lineOf[rowOf[target]]] + 7, spread = 3 * (number % 3);
    const rightward = a[COLUMN] < b[COLUMN];
    const x0 = ends[0][many || rightward ? 1 : 0], x1 = ends[1][many || !rightward ? 1 : 0];
    const turn = many ? Math.max(x0, x1) + 12 + spread : lefts[rightward ? b[COLUMN] : a[COLUMN]] - 10 + spread;
    const tip = x1 > turn ? 7 : -7;
    const joint = shape("g", layer, { "data-source": source, "data-target": target, "data-finding": finding });
    shape("path", joint, { d: `M${x0} ${y0}H${turn}V${y1}H${x1 - tip}` });
    shape("path", joint, { d: `M${x1} ${y1}l${-tip} -4v8z`, class: "tip" });
  });
}
function end(row) { // where the text of a row begins and ends, with its frame
  const left = lefts[row[COLUMN]] + before(row) - 5;
  return [left, left + Math.max(...fitRow(row).map((line) => line.length)) * ch + 10];
}
