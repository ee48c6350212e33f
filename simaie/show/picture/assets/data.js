// The data of the page and the state after a step, which the changes of the steps in between turn into any other.
// The parts of the script are the body of one function: walk(root, data, options). root: an empty element to fill.
// options: keys, the element whose keydown events count; start, the first step shown; stepped, called with each new step.

const texts = data.texts, rows = data.rows, changes = data.changes, touched = data.touched;
const KIND = 0, TEXT = 1, STEP = 2, COLUMN = 3, MARKS = 4, SWITCHED = 5, LANES = 6, EARLY = 7, HEIGHT = 22, LEADING = 17, MARGIN = 12;
const COLOURS = 7; // as many as page.css has
const CLASSES = {
  instruction: "head", operation: "op", single: "head", drain: "drain", fault: "fault", block: "block",
  "cycle-begin": "block", "cycle-end": "block",
};
const last = changes.length - 1;

// -- the state after a step ---------------------------------------------------------------------------------------
const values = data.places.map((place) => place[2]);
let at = -1; // the step whose state `values` is
function moveTo(step) {
  for (; at < step; at++) for (const [place, , now] of changes[at + 1]) values[place] = now;
  for (; at > step; at--) for (const [place, before] of changes[at]) values[place] = before;
}
