"use strict";
// Walks through an execution. Only the rows in sight exist as elements, and the state after a step is had from the
// state after another by the changes in between. Text from the data is only ever set as text.
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const texts = data.texts, rows = data.rows, changes = data.changes, touched = data.touched;
  const KIND = 0, TEXT = 1, STEP = 2, COLUMN = 3, MARKS = 4, SWITCHED = 5, LANES = 6, HEIGHT = 22, MARGIN = 12;
  // Okabe and Ito's colours, which the colour-blind tell apart; vermilion is kept for what is guilty.
  const COLOURS = ["#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#a08a00", "#8c8c8c"];
  const CLASSES = { instruction: "head", operation: "op", single: "head", drain: "drain", fault: "fault" };
  const last = changes.length - 1;

  function make(tag, into, words, name) {
    const element = document.createElement(tag);
    if (words !== undefined) element.textContent = words;
    if (name) element.className = name;
    if (into) into.append(element);
    return element;
  }
  function button(into, words, label, act) {
    const made = make("button", into, words);
    made.title = label;
    made.setAttribute("aria-label", label);
    made.addEventListener("click", act);
    return made;
  }

  // -- the state after a step ---------------------------------------------------------------------------------------
  const values = data.places.map((place) => place[2]);
  let at = -1; // the step whose state `values` is
  function moveTo(step) {
    for (; at < step; at++) for (const [place, , now] of changes[at + 1]) values[place] = now;
    for (; at > step; at--) for (const [place, before] of changes[at]) values[place] = before;
  }

  // -- the frame ----------------------------------------------------------------------------------------------------
  const head = make("header", document.body);
  make("h1", head, data.title);
  const tools = make("div", head, undefined, "tools");
  const trace = make("section", document.body);
  trace.id = "trace";
  trace.tabIndex = 0;
  trace.setAttribute("aria-label", "the execution, one column per vCPU, time downward");
  const aside = make("aside", document.body);
  const tip = make("div", document.body);
  tip.id = "tip";
  tip.hidden = true;

  const widths = data.columns.map((name) => name.length + 4);
  for (const row of rows) {
    if (row[COLUMN] >= 0) widths[row[COLUMN]] = Math.max(widths[row[COLUMN]], texts[row[TEXT]].length + 4);
  }
  const narrow = widths.map((width) => Math.min(width, 26));
  const grid = "7.4em " + widths.map((width, i) => `minmax(${narrow[i]}ch, ${Math.min(width, 48)}fr)`).join(" ");
  const breadth = `max(100%, calc(7.4em + ${narrow.reduce((sum, width) => sum + width, 0)}ch))`;
  const names = make("div", trace, undefined, "names");
  names.style.gridTemplateColumns = grid;
  names.style.width = breadth;
  make("div", names, "step");
  data.columns.forEach((name, i) => make("div", names, name).style.setProperty("--c", colour(i)));
  const body = make("div", trace, undefined, "rows");
  body.style.width = breadth;
  function colour(column) { return COLOURS[column % COLOURS.length]; }

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

  // -- beside it: the step, what every place holds, the findings -----------------------------------------------------
  const caption = make("h2", aside, "");
  const event = make("div", aside, undefined, "event");
  event.setAttribute("aria-live", "polite");
  const lines = [];
  for (const group of ["memory", "locks", "reservations", "store buffers", "emulator"]) {
    const places = data.places.map((place, i) => [place, i]).filter(([place]) => place[0] === group);
    if (!places.length) continue;
    make("h2", aside, group);
    const box = make("div", aside, undefined, "places");
    const table = make("table", box);
    for (const [place, i] of places) {
      const line = make("tr", table);
      make("td", line, texts[place[1]]);
      lines[i] = { line, box, value: make("td", line) };
    }
  }
  function showState() {
    const changed = new Set(at < 0 ? [] : changes[at].map((change) => change[0]));
    lines.forEach((line, i) => {
      const value = texts[values[i]];
      if (line.value.textContent !== value) line.value.textContent = value;
      line.line.classList.toggle("changed", changed.has(i));
      if (changed.has(i)) {
        const top = line.line.offsetTop - line.box.offsetTop;
        if (top < line.box.scrollTop || top > line.box.scrollTop + line.box.clientHeight - HEIGHT) line.box.scrollTop = top;
      }
    });
    caption.textContent = at < 0 ? "before the first step" : `after step ${at}`;
    const row = at < 0 ? null : rows[rowOf[at]];
    event.textContent = row ? `${data.columns[row[COLUMN]]}: ${texts[row[TEXT]]}` : "";
  }

  make("h2", aside, data.findings.length ? "what is wrong" : "nothing was found");
  data.findings.forEach((finding, i) => {
    const box = make("div", aside, undefined, "finding");
    make("strong", box, `>${i + 1} ${finding.kind}`);
    make("p", box, finding.told);
    for (const step of finding.steps.slice(0, 12)) {
      if (step >= 0 && step <= last) button(box, step, `go to step ${step}`, () => go(step));
    }
  });
  if (data.more > 0) make("p", aside, `... and ${data.more} more findings`);
  make("h2", aside, "how it ended");
  const ending = make("div", aside, undefined, "ending");
  data.ending.forEach((line) => make("div", ending, line));
  if (data.command) {
    make("h2", aside, "again");
    make("code", aside, data.command);
  }
  make("h2", aside, "signs");
  const legend = make("div", aside, undefined, "keys legend");
  for (const [sign, what] of [["thin", "inside an instruction "], ["", "holding a lock"]]) {
    make("i", legend, undefined, sign);
    legend.append(what);
  }
  make("div", legend, "~ the scheduler switched    >1 a step that finding 1 names");
  make("h2", aside, "keys");
  const keys = make("div", aside, undefined, "keys");
  for (const [key, what] of [["\u2192", "step "], ["\u2190", "back "], ["n", "next guilty step "], ["p", "the one before "],
    ["Home", "start "], ["End", "end "], ["f", "fold or unfold"]]) {
    make("kbd", keys, key);
    keys.append(` ${what}`);
  }

  // -- going about ---------------------------------------------------------------------------------------------------
  let current = -1;
  const guilty = [...new Set(rows.filter((row) => row[MARKS].length && row[STEP] >= 0).map((row) => row[STEP]))];
  function go(step) {
    const before = current;
    current = Math.max(-1, Math.min(last, step));
    moveTo(current);
    showState();
    if (current >= 0) {
      const fold = folds.find((f) => !f.open && f.from <= rowOf[current] && rowOf[current] <= f.to);
      if (fold) { fold.open = true; layOut(); }
    }
    for (const mark of [before, current]) {
      const element = mark >= 0 ? drawn.get(lineOf[rowOf[mark]]) : null;
      if (element) element.classList.toggle("here", mark === current);
    }
    bringIntoSight();
    count.textContent = current < 0 ? `start of ${last + 1} steps` : `step ${current} of ${last + 1}`;
    slider.value = current;
    document.body.dataset.step = current;
  }
  function bringIntoSight() {
    const top = current < 0 ? 0 : lineOf[rowOf[current]] * HEIGHT, room = trace.clientHeight - names.offsetHeight;
    if (top < trace.scrollTop + HEIGHT || top > trace.scrollTop + room - 3 * HEIGHT) {
      trace.scrollTop = Math.max(0, top - room / 3);
    }
    draw();
  }
  const nextGuilty = () => go(guilty.find((step) => step > current) ?? current);
  const lastGuilty = () => go(guilty.findLast((step) => step < current) ?? current);
  function toggleFolds() {
    const open = !folds.some((fold) => fold.open);
    for (const fold of folds) fold.open = open;
    layOut();
    bringIntoSight();
  }
  button(tools, "|\u25c0", "to the start (Home)", () => go(-1));
  button(tools, "\u25c0", "a step back (arrow left)", () => go(current - 1));
  button(tools, "\u25b6", "a step forward (arrow right)", () => go(current + 1));
  button(tools, "\u25b6|", "to the end (End)", () => go(last));
  if (guilty.length) button(tools, "next >", "to the next guilty step (n)", nextGuilty);
  if (folds.length) button(tools, "fold", "fold or unfold (f)", toggleFolds);
  const slider = make("input", tools);
  Object.assign(slider, { type: "range", min: -1, max: last, value: -1 });
  slider.setAttribute("aria-label", "step");
  slider.addEventListener("input", () => go(Number(slider.value)));
  const count = make("span", tools, "", "count");

  const act = {
    ArrowRight: () => go(current + 1), ArrowDown: () => go(current + 1), j: () => go(current + 1),
    ArrowLeft: () => go(current - 1), ArrowUp: () => go(current - 1), k: () => go(current - 1),
    PageDown: () => go(current + 20), PageUp: () => go(current - 20), Home: () => go(-1), End: () => go(last),
    n: nextGuilty, p: lastGuilty, f: toggleFolds,
  };
  document.addEventListener("keydown", (pressed) => {
    if (pressed.ctrlKey || pressed.altKey || pressed.metaKey || pressed.target === slider) return;
    if (Object.hasOwn(act, pressed.key)) { act[pressed.key](); pressed.preventDefault(); }
  });
  body.addEventListener("click", (pressed) => {
    const row = pressed.target.closest("[data-step]");
    if (row) go(Number(row.dataset.step));
  });
  trace.addEventListener("scroll", () => { hideTip(); draw(); }, { passive: true });
  addEventListener("resize", draw);

  // -- hovering: the places that a step is about, and what guards them -----------------------------------------------
  function showTip(step, y) {
    moveTo(step);
    tip.replaceChildren();
    make("div", tip, `after step ${step}: ${texts[rows[rowOf[step]][TEXT]]}`);
    const table = make("table", tip);
    const told = new Set(touched[step]);
    const old = new Map(changes[step].map(([place, before]) => [place, before]));
    for (const place of told) tipLine(table, place, old.get(place));
    data.places.forEach((place, i) => {
      const value = texts[values[i]];
      const idle = ["free", "runs", "none", "?"].includes(value) || value.startsWith("node ")
        || (value === "empty" && place[0] !== "reservations");
      if (!told.has(i) && !idle && place[0] !== "memory" && table.rows.length < 14) tipLine(table, i);
    });
    moveTo(current);
    tip.hidden = false;
    // Docked where it hides none of the rows around the pointer.
    const frame = trace.getBoundingClientRect(), low = y > frame.top + frame.height * 0.55;
    tip.style.left = `${frame.right - tip.offsetWidth - 24}px`;
    tip.style.top = `${low ? frame.top + names.offsetHeight + 8 : frame.bottom - tip.offsetHeight - 16}px`;
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
    if (row && moved.target.closest(".cell")) showTip(Number(row.dataset.step), moved.clientY);
    else hideTip();
  });
  body.addEventListener("mouseleave", hideTip);

  layOut();
  go(guilty.length ? guilty[0] : -1);
  const asked = /^#step=(\d+)$/.exec(location.hash);
  if (asked) go(Number(asked[1]));
  document.body.dataset.ready = String(Math.round(performance.now()));
})();
