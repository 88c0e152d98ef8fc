// @ts-check
/** Elements by what they must be (where one is missing, the page says which), and events by what they carry. */

/**
 * @template {Element} T
 * @param {ParentNode} within
 * @param {string} selector
 * @param {new () => T} kind
 * @returns {T}
 */
export function find(within, selector, kind) {
  const found = within.querySelector(selector);
  if (found instanceof kind) return found;
  throw new Error(`there is no ${kind.name} at ${selector}`);
}

/**
 * Listens to a CustomEvent; who listens says what its `detail` is.
 * @template T
 * @param {EventTarget} target
 * @param {string} type
 * @param {(detail: T) => void} heard
 */
export function listen(target, type, heard) {
  target.addEventListener(type, (event) => {
    if (event instanceof CustomEvent) heard(event.detail);
  });
}

/**
 * An element that pages may style by `::part`, of a component that has a shadow.
 * @template {keyof HTMLElementTagNameMap} T
 * @param {T} tag
 * @param {string} name  its class and its part
 * @param {string} [said]
 */
export function part(tag, name, said = "") {
  const made = document.createElement(tag);
  made.className = name;
  made.setAttribute("part", name);
  made.textContent = said;
  return made;
}
