// The panel next to the table: the findings first, then the step and the value of every place after it. Below: signs, keys.

// -- what is wrong ----------------------------------------------------------------
const wrong = data.over || data.findings.length ? make("section", aside, undefined, "wrong") : null;
if (wrong) make("h2", wrong, data.findings.length ? "what is wrong" : "nothing was found");
data.findings.forEach((finding, i) => {
  const box = make("div", wrong, undefined, "finding");
  make("strong", box, `>${i + 1} ${finding.kind}`);
  make("p", box, finding.message, "message");
  for (const step of finding.steps.slice(0, 12)) {
    if (step >= 0 && step <= last) button(box, step, `go to step ${step}`, () => goAndOpen(step));
  }
  if (finding.explanation) prose(box, finding.explanation);
});
if (data.more > 0) make("p", wrong, `... and ${data.more} more findings`);

// -- the step and the state -----------------------------------------------------
const state = make("section", aside, undefined, "state");
const caption = make("h2", state, "");
const event = make("div", state, undefined, "event");
event.setAttribute("aria-live", "polite");
const source = data.source.spots ? make("div", state, undefined, "source") : null;
const lines = [];
const numberOf = new Map(data.places.map((place, i) => [texts[place[1]], i]));
for (const group of ["memory", "radix tree", "locks", "reservations", "store buffers", "emulator"]) {
  const places = data.places.map((place, i) => [place, i]).filter(([place]) => place[0] === group);
  if (!places.length) continue;
  const tree = group === "radix tree";
  make("h2", state, group);
  const box = make("div", state, undefined, tree ? "places tree" : "places");
  const table = make("table", box);
  if (tree) places.sort(([a], [b]) => (texts[a[1]] < texts[b[1]] ? -1 : 1));
  for (const [place, i] of places) {
    const line = make("tr", table), name = texts[place[1]];
    lines[i] = { line, box, value: tree ? branch(line, name) : undefined, tree };
    if (tree) continue;
    make("td", line, name);
    lines[i].value = make("td", line);
  }
}

// A slot is shown below the slot that leads to it, an entry with its lock and the other cells of its granule.
function branch(line, name) {
  const path = name.split("/").slice(1), cell = make("td", line);
  cell.colSpan = 2;
  cell.title = name;
  cell.style.paddingLeft = `${path.length * 0.9 - 0.5}em`;
  make("span", cell, `\u2514 ${path[path.length - 1]} `);
  return make("b", cell);
}
function showSlot(line, value) {
  line.line.classList.toggle("none", value === "none");
  line.value.replaceChildren(value.startsWith("node ") ? "\u25be" : value);
  if (!value.startsWith("entry ")) return;
  const granule = value.slice("entry ".length);
  for (const part of ["lock", "set", "bm_set"]) {
    const beside = numberOf.get(`${part} ${granule}`);
    if (beside !== undefined) make("div", line.value, `${part}: ${texts[values[beside]]}`, "beside");
  }
}
function showState() {
  const changed = new Set(at < 0 ? [] : changes[at].map((change) => change[0]));
  lines.forEach((line, i) => {
    const value = texts[values[i]];
    if (line.tree) showSlot(line, value);
    else if (line.value.textContent !== value) line.value.textContent = value;
    line.line.classList.toggle("changed", changed.has(i));
    if (changed.has(i)) {
      const top = line.line.offsetTop - line.box.offsetTop;
      if (top < line.box.scrollTop || top > line.box.scrollTop + line.box.clientHeight - HEIGHT) line.box.scrollTop = top;
    }
  });
  caption.textContent = at < 0 ? "before the first step" : `after step ${at}`;
  const row = at < 0 ? null : rows[rowOf[at]];
  event.textContent = row ? `${data.columns[row[COLUMN]]}: ${texts[row[TEXT]]}` : "";
  const heading = row && data.kinds[row[KIND]] === "operation" ? headingOf(rowOf[at]) : "";
  if (heading) make("div", event, `in ${heading}`, "of");
  showSource();
}

// The instruction of the step, its line, and the lines from which it was inlined.
function showSource() {
  if (!source) return;
  source.replaceChildren();
  const spot = at < 0 ? undefined : data.source.spots[data.source.steps[at]];
  if (!spot) return;
  if (spot[0]) make("code", source, spot[0]);
  spot[1].forEach(([file, number], depth) => {
    make("div", source, `${depth ? "called at " : ""}${file}:${number}`, "of");
    const known = data.source.files[file];
    if (!known || known[number] === undefined) return;
    const listing = make("pre", source);
    for (let line = number - 4; line <= number + 4; line++) {
      if (known[line] === undefined) continue;
      make("span", listing, `${String(line).padStart(4)}  ${known[line]}\n`, line === number ? "here" : undefined);
    }
  });
}

function headingOf(row) {
  const column = rows[row][COLUMN];
  for (let above = row - 1; above >= 0 && row - above < 5000; above--) {
    if (rows[above][COLUMN] === column && data.kinds[rows[above][KIND]] === "instruction") return texts[rows[above][TEXT]];
  }
  return "";
}

// The numbers of steps in an explanation are links to them.
function prose(into, words) {
  const paragraph = make("p", into);
  let end = 0;
  for (const found of words.matchAll(/\bsteps? (\d+(?:(?:, | and | to )\d+)*)/g)) {
    for (const number of found[0].matchAll(/\d+/g)) {
      const from = found.index + number.index, step = Number(number[0]);
      if (step > last) continue;
      paragraph.append(words.slice(end, from));
      const link = make("a", paragraph, number[0]);
      link.href = `#step=${step}`;
      link.addEventListener("click", (pressed) => { pressed.preventDefault(); goAndOpen(step); });
      end = from + number[0].length;
    }
  }
  paragraph.append(words.slice(end));
}

// -- the ending and the command ---------------------------------------------------
if (data.ending.length) make("h2", state, data.over ? "how it ended" : "how it stands");
const ending = make("table", state, undefined, "ending");
for (const [label, value] of data.ending) {
  const line = make("tr", ending);
  make("td", line, label);
  make("td", line, value);
}
if (data.command) {
  make("h2", state, "reproduce");
  const isCommand = data.command.startsWith("simaie "); // or it says why there is none
  make("pre", state, data.command, isCommand ? "command" : "command words").tabIndex = 0; // the arrows scroll it
}

// -- the legend: the signs that occur, and the keys; always in sight ----------------------------------------------
const lanesSeen = rows.map((row) => texts[row[LANES]]).join("");
function sign(occurs, mark, what, name) {
  if (!occurs) return;
  const item = make("span", footer, undefined, "sign");
  make(name ? "i" : "b", item, mark, name);
  item.append(` ${what}`);
}
sign(lanesSeen.includes("o"), "", "between instructions", "dashed");
sign(lanesSeen.includes("i"), "", "inside an instruction", "thin");
sign(lanesSeen.includes("l"), "", "holding a lock", "thick");
sign(rows.some((row) => row[SWITCHED]), "~", "the scheduler switched");
sign(rows.some((row) => row[EARLY]), "^", "took effect early");
sign(rows.some((row) => row[MARKS].length), ">1", "a step of finding 1");
sign(data.arrows.length, "\u2192", "conflicting accesses");
sign(data.walks.length, "\u25b8", "folded walk");
const keys = make("span", footer, undefined, "keys");
for (const [key, what, occurs] of [["\u2190", "", true], ["\u2192", "step", true], ["p", "", data.findings.length],
  ["n", "violation step", data.findings.length], ["f", "fold", data.hidden.length || data.walks.length]]) {
  if (!occurs) continue;
  make("kbd", keys, key);
  keys.append(what ? ` ${what} ` : " ");
}
