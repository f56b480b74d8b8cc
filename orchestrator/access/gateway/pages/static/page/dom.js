// Makes elements. Text is always text: nothing that comes from the daemon is ever read as markup.

const SVG = "http://www.w3.org/2000/svg";

/** Return an element. `on…` attributes are listeners, `dataset` and `class` are what they say, false and null are left out. */
export function h(tag, attributes = {}, ...children) {
  return dress(document.createElement(tag), attributes, children);
}

/** The same for a graphic's parts. */
export function g(tag, attributes = {}, ...children) {
  return dress(document.createElementNS(SVG, tag), attributes, children);
}

function dress(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === false || value === null || value === undefined) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "dataset") Object.assign(element.dataset, value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** Return the element of the page with this id. */
export function part(id) {
  return document.getElementById(id);
}

/** Show a text, touching the page only where it changed: what is selected or read aloud stays so. */
export function show(element, text) {
  if (element.textContent !== text) element.textContent = text;
}
