// Functions that make elements, with text and never with markup.

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
