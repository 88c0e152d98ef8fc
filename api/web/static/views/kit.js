// @ts-check
/** What views are made of: elements, lists that grow, buttons that do something and say what came of it. */
import { messageOf } from "../words.js";

/**
 * @typedef {Node | string | null | false | undefined} Content
 * @typedef {string | number | boolean | null | undefined | ((event: Event) => unknown)} Attribute
 */
/**
 * @template T
 * @typedef {{edges: {node: T}[], pageInfo: {endCursor: string | null, hasNextPage: boolean}}} Connection
 */

/**
 * An element with its attributes and content. A function listens to the event of that name; null and false leave out.
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} tag
 * @param {Record<string, Attribute>} [attributes]
 * @param {...Content} content
 * @returns {HTMLElementTagNameMap[K]}
 */
export function make(tag, attributes = {}, ...content) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") made.addEventListener(name, value);
    else if (value !== null && value !== undefined && value !== false) {
      made.setAttribute(name, value === true ? "" : String(value));
    }
  }
  made.append(...told(content));
  return made;
}

/** @param {Content[]} content */
const told = (content) => content.filter((one) => one !== null && one !== undefined && one !== false);

/**
 * A part of a view under its heading.
 * @param {string} title
 * @param {...Content} content
 */
export const card = (title, ...content) => make("section", { class: "card" }, make("h2", {}, title), ...content);

/** @param {...Content} content */
export const hint = (...content) => make("p", { class: "hint" }, ...content);

/**
 * @param {string} to  without `#/`
 * @param {...Content} content
 */
export const link = (to, ...content) => make("a", { href: `#/${to}` }, ...content);

/** @param {...Content} parts */
export const view = (...parts) => make("div", { class: "view" }, ...parts);

/**
 * A button that does something once at a time. What goes wrong stands beside it.
 * @param {string} words
 * @param {() => Promise<unknown>} work
 * @param {Record<string, Attribute>} [attributes]
 */
export function action(words, work, attributes = {}) {
  const said = make("span", { class: "bad", role: "alert" });
  /** @type {HTMLButtonElement} */
  const button = make("button", { type: "button", ...attributes, click: () => busy(button, said, work) }, words);
  return make("span", { class: "action" }, button, said);
}

/**
 * Runs `work` with the button out of use; says what it throws.
 * @param {HTMLButtonElement} button
 * @param {HTMLElement} said
 * @param {() => Promise<unknown>} work
 */
export async function busy(button, said, work) {
  button.disabled = true;
  said.textContent = "";
  try {
    await work();
  } catch (error) {
    said.textContent = messageOf(error);
  } finally {
    button.disabled = false;
  }
}

/**
 * The same for what cannot be taken back lightly: the button asks first.
 * @param {string} words
 * @param {string} question
 * @param {() => Promise<unknown>} work
 */
export function sureAction(words, question, work) {
  const place = make("span", { class: "action" });
  const ask = () => {
    const no = make("button", { type: "button", click: rest }, "No");
    place.replaceChildren(make("span", { role: "status" }, question), action(`Yes, ${words.toLowerCase()}`, work), no);
    no.focus();
  };
  const rest = () => {
    place.replaceChildren(make("button", { type: "button", class: "quiet", click: ask }, words));
    if (place.isConnected) place.querySelector("button")?.focus();
  };
  rest();
  return place;
}

/**
 * A list by pages, with a button for the next one; `empty` where there is nothing at all.
 * @template T
 * @param {string} label
 * @param {(after: string | null) => Promise<Connection<T>>} page
 * @param {(node: T) => HTMLElement} row
 * @param {Node} empty
 */
export async function pages(label, page, row, empty) {
  const list = make("ul", { class: "rows", role: "list", "aria-label": label });
  /** @type {string | null} */
  let after = null;
  const more = async () => {
    const { edges, pageInfo } = await page(after);
    after = pageInfo.endCursor;
    const rows = edges.map(({ node }) => row(node));
    list.append(...rows);
    button.hidden = !pageInfo.hasNextPage;
    return rows;
  };
  const button = action("Show more", async () => (await more())[0]?.querySelector("a")?.focus());
  const first = await more();
  return first.length ? make("div", { class: "pages" }, list, button) : empty;
}

/**
 * How much of `most` is reached, for the eye; the words beside it say it.
 * @param {number} value
 * @param {number} most
 */
export function bar(value, most) {
  const made = make("meter", { "aria-hidden": "true" });
  made.max = most || 1;
  made.value = value;
  return made;
}

/**
 * @param {string} iso
 * @param {Intl.DateTimeFormatOptions} [how]
 */
export const day = (iso, how = { day: "numeric", month: "long", year: "numeric" }) =>
  new Date(iso).toLocaleDateString("en", how);

/**
 * Ways between the parts of a view.
 * @param {string} label
 * @param {{to: string, words: string}[]} ways
 * @param {string} here
 */
export const tabs = (label, ways, here) =>
  make(
    "nav",
    { class: "tabs", "aria-label": label },
    ...ways.map(({ to, words }) => make("a", { href: `#/${to}`, "aria-current": to === here && "page" }, words)),
  );
