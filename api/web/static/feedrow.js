// @ts-check
/** The rows of a feed: one event each, or a pile of them that opens. */
import { part } from "./dom.js";
import { picture } from "./icons.js";
import { lookOf, lookOfPile } from "./looks.js";
import { ago, count, describe, describePile, figure } from "./words.js";

const BIG = new Set(["level_up", "milestone_achieved", "challenge_completed"]);
const OFTEN = new Set(["high_five", "followed", "follow_requested", "credits_granted"]); // nobody applauds these

/**
 * @typedef {import("./protocol.js").FeedEvent} FeedEvent
 * @typedef {(event: FeedEvent) => Promise<boolean>} Applaud  whether it was taken
 */

/**
 * @param {FeedEvent} event
 * @param {Applaud | null} applaud
 */
export function rowOf(event, applaud) {
  const item = document.createElement("li");
  item.dataset.id = event.id;
  item.dataset.type = event.type;
  const row = document.createElement("div");
  fill(row, describe(event), lookOf(event), event.created_at);
  row.classList.toggle("big", BIG.has(event.type));
  if (!OFTEN.has(event.type)) row.append(fiveOf(event, applaud));
  item.append(row);
  return item;
}

/**
 * The row of a pile; its events have rows of their own while it is open.
 * @param {import("./piles.js").Pile} pile
 * @param {(event: FeedEvent) => HTMLElement} row
 */
export function rowOfPile(pile, row) {
  const item = document.createElement("li");
  item.className = "pile";
  const details = document.createElement("details");
  const summary = document.createElement("summary");
  const inner = document.createElement("ol");
  inner.setAttribute("role", "list");
  details.append(summary, inner);
  details.addEventListener("toggle", () => inner.replaceChildren(...(details.open ? rowsIn(pile, row) : [])));
  item.append(details);
  renewPile(item, pile, row);
  return item;
}

/**
 * Tells a pile anew that has more or fewer events now.
 * @param {HTMLElement} item
 * @param {import("./piles.js").Pile} pile
 * @param {(event: FeedEvent) => HTMLElement} row
 */
export function renewPile(item, pile, row) {
  const [details, summary, inner] = ["details", "summary", "ol"].map((name) => item.querySelector(name));
  if (!summary || !inner) return;
  fill(summary, describePile(pile), lookOfPile(pile), pile.events[0].created_at);
  if (details?.hasAttribute("open")) inner.replaceChildren(...rowsIn(pile, row));
}

/**
 * @param {import("./piles.js").Pile} pile
 * @param {(event: FeedEvent) => HTMLElement} row
 */
function rowsIn({ events, count: all }, row) {
  const rows = events.map(row);
  if (all > events.length) rows.push(part("li", "more", `and ${figure(all - events.length)} before`));
  return rows;
}

/**
 * @param {Element} row
 * @param {import("./words.js").Said} said
 * @param {import("./looks.js").Look} look
 * @param {string} at
 */
function fill(row, { title, detail }, { icon, tone, badge }, at) {
  const shown = part("span", "picture");
  shown.append(picture(icon));
  if (badge) {
    const worn = part("span", "badge", badge);
    worn.ariaHidden = "true"; // title and detail say it
    shown.append(worn);
  }
  const time = document.createElement("time");
  time.setAttribute("part", "time");
  time.dateTime = at;
  time.textContent = ago(at);
  time.title = new Date(at).toLocaleString("en");
  row.className = `row ${tone}`;
  row.setAttribute("part", "row");
  row.replaceChildren(shown, part("span", "title", title), time);
  if (detail) row.append(part("span", "detail", detail));
}

/**
 * Its button where somebody may send a high five, else how many were sent.
 * @param {FeedEvent} event
 * @param {Applaud | null} applaud
 */
function fiveOf(event, applaud) {
  const shown = part(applaud ? "button" : "span", "five");
  tellFive(shown, event);
  if (!applaud) return shown;
  shown.setAttribute("type", "button");
  shown.addEventListener("click", async () => {
    if (event.highFived || shown.ariaBusy === "true") return;
    shown.ariaBusy = "true";
    if (await applaud(event)) tellFive(shown, event);
    shown.ariaBusy = "false";
  });
  return shown;
}

/**
 * What it says now. Whoever cannot send one sees it once somebody else has.
 * @param {HTMLElement} shown
 * @param {FeedEvent} event
 */
function tellFive(shown, event) {
  const sent = event.highFives ?? 0;
  shown.replaceChildren(picture("hand"), part("span", "unseen", words(event)), ...(sent ? [figure(sent)] : []));
  if (shown instanceof HTMLButtonElement) shown.setAttribute("aria-pressed", String(Boolean(event.highFived)));
  else shown.hidden = !sent;
}

/**
 * Tells in its row that an event has another number of high fives now.
 * @param {HTMLElement} item
 * @param {FeedEvent} event
 */
export function renewFive(item, event) {
  const shown = item.querySelector(".five");
  if (!(shown instanceof HTMLElement)) return;
  shown.classList.add("moved");
  tellFive(shown, event);
}

/** @param {FeedEvent} event */
function words({ highFives = 0, highFived }) {
  return highFived || !highFives ? "High five" : `High five; so far ${count(highFives, "person", "people")} sent one:`;
}
