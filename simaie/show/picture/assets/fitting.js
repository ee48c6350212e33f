// Texts that fit a column: paths in the radix tree lose their first levels, and lines break between words. See show/fitting.py.

const PATH = /\b[0-9a-f]{2}(?:\/[0-9a-f]{2}){2,}\b/g, MOST_LINES = 6;
const fittings = new Map(); // by width and number of the text
function textLines(number, width) {
  const known = width * texts.length + number;
  if (!fittings.has(known)) fittings.set(known, fitted(texts[number], width));
  return fittings.get(known);
}
function fitted(text, width) {
  if (text.length <= width) return [text];
  let best = null, before = "";
  for (let levels = 0, version = text; version !== before; version = withoutLevels(text, levels)) {
    const cuts = version.split(" ").filter((word) => word.length > width - 2).length, wrapped = wrap(version, width);
    if (!best || cuts < best.cuts || (cuts === best.cuts && wrapped.length < best.wrapped.length)) best = { cuts, wrapped };
    before = version;
    levels += 1;
  }
  return best.wrapped.length <= MOST_LINES ? best.wrapped : [...best.wrapped.slice(0, MOST_LINES - 1), "  \u2026"];
}
function withoutLevels(text, levels) {
  return text.replace(PATH, (path) => {
    const parts = path.split("/");
    return ["\u2026", ...parts.slice(Math.min(levels, parts.length - 1))].join("/");
  });
}
function wrap(text, width) { // only a word longer than a line loses its middle
  const made = [];
  let line = "";
  for (let word of text.split(" ")) {
    if (word.length > width - 2) word = `${word.slice(0, (width - 2) / 2)}\u2026${word.slice(word.length - Math.floor((width - 4) / 2))}`;
    if (line.trim() && line.length + 1 + word.length > width) {
      made.push(line);
      line = `  ${word}`;
    } else line = line ? `${line} ${word}` : word;
  }
  made.push(line);
  return made;
}
