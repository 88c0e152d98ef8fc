// @ts-check
/** The page of operators. The access token is in memory alone: a reload signs out. */
import { find } from "./dom.js";

const EVERY_MS = 3_000;

/** @typedef {Record<string, any>} Row */
/** @typedef {[heading: string, of: (row: Row) => string | number]} Column */

/** @type {Record<string, Column[]>} */
const TABLES = {
  channels: [
    ["channel", (row) => row.channel],
    ["deliveries/s", (row) => row.deliveriesPerS],
    ["events/s", (row) => row.eventsPerS],
    ["readers", (row) => row.readers],
    ["newest", (row) => row.offset],
  ],
  processes: [
    ["gateway", (row) => row.gateway],
    ["process", (row) => row.pid],
    ["sockets", (row) => row.connections],
    ["late at most, ms", (row) => row.lateMs],
    ["memory, MB", (row) => Math.round(row.memory / 1e6)],
    ["wrong", (row) => row.wrong],
  ],
  closes: [
    ["why", (row) => row.why],
    ["sockets", (row) => row.count],
  ],
  slow: [
    ["user", (row) => row.user || "nobody"],
    ["protocol", (row) => row.protocol],
    ["bytes not taken", (row) => row.unread],
  ],
  jobs: [
    ["job", (row) => row.job],
    ["last run", (row) => (row.finished ? new Date(row.finished).toLocaleString() : "never")],
    ["took, s", (row) => (row.took_s ?? 0).toFixed(2)],
    ["changed", (row) => row.result ?? ""],
    ["newest slot", (row) => (row.done ? "done" : row.error ? `failed ${row.failures} times: ${row.error}` : "under way")],
  ],
  flags: [
    ["flag", (row) => row.key],
    ["for all", (row) => (row.enabled ? "on" : "off")],
  ],
};

/** @type {[name: string, of: (told: Row) => string | number][]} */
const NUMBERS = [
  ["Sockets", (told) => told.figures.rt_connections ?? 0],
  ["Signed-in users", (told) => told.figures.rt_users ?? 0],
  ["People online", (told) => told.presence.online],
  ["Training", (told) => told.presence.training],
  ["Channels", (told) => told.figures.rt_channels ?? 0],
  ["Slow readers", (told) => told.figures.rt_slow ?? 0],
  ["Events that wait", (told) => told.relay.waiting],
  ["Relay lag, s", (told) => told.relay.lagS],
];

const state = find(document, "#state", HTMLElement);
const signIn = find(document, "#sign-in", HTMLFormElement);
const all = find(document, "#all", HTMLElement);
const why = find(document, "#why", HTMLFormElement);
const reasons = find(document, "#reasons", HTMLOListElement);
let token = "";

/**
 * @param {string} path
 * @param {object} [body]
 * @returns {Promise<Row>}
 */
async function ask(path, body) {
  /** @type {Record<string, string>} */
  const headers = token ? { authorization: `Bearer ${token}` } : {};
  if (body) headers["content-type"] = "application/json";
  const answer = await fetch(path, body ? { method: "POST", headers, body: JSON.stringify(body) } : { headers });
  const told = await answer.json();
  if (answer.ok) return told;
  if (answer.status === 401 || answer.status === 403) signOut();
  throw new Error(told.error?.code === "FORBIDDEN" ? "This account is no operator's." : told.error?.message);
}

/** @param {string} tag @param {string | number} text */
function element(tag, text) {
  const made = document.createElement(tag);
  made.textContent = String(text);
  if (typeof text === "number") made.className = "number";
  return made;
}

/** @param {string} id @param {Row[]} rows */
function show(id, rows) {
  const columns = TABLES[id] ?? [];
  const head = document.createElement("tr");
  head.append(...columns.map(([heading]) => element("th", heading)));
  const lines = rows.map((row) => {
    const line = document.createElement("tr");
    line.append(...columns.map(([, of]) => element("td", of(row))));
    return line;
  });
  find(document, `#${id}`, HTMLTableElement).replaceChildren(head, ...lines);
}

async function look() {
  const told = await ask("/api/v1/admin/overview");
  const missing = told.asked - told.answered;
  state.textContent = missing ? `${missing} of ${told.asked} processes do not answer` : `${told.asked} processes answer`;
  const shown = NUMBERS.map(([name, of]) => {
    const one = document.createElement("div");
    one.append(element("dt", name), element("dd", of(told)));
    return one;
  });
  find(document, "#numbers", HTMLElement).replaceChildren(...shown);
  for (const id of Object.keys(TABLES)) show(id, told[id]);
  signIn.hidden = true;
  all.hidden = false;
}

function signOut() {
  token = "";
  all.hidden = true;
  signIn.hidden = false;
}

/** @param {() => Promise<void>} work */
async function said(work) {
  try {
    await work();
  } catch (error) {
    state.textContent = error instanceof Error ? error.message : String(error);
  }
}

/** @param {HTMLFormElement} form @param {(fields: Record<string, string>) => Promise<void>} work */
function submits(form, work) {
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const fields = [...new FormData(form)].map(([name, value]) => [name, String(value)]);
    void said(() => work(Object.fromEntries(fields)));
  });
}

submits(signIn, async (fields) => {
  const told = await ask("/api/v1/auth/login", fields);
  token = told.accessToken;
  signIn.reset();
  await look();
});

submits(why, async (fields) => {
  const told = await ask("/api/v1/admin/why", fields);
  reasons.replaceChildren(
    ...told.reasons.map((/** @type {Row} */ one) => {
      const about = [one.channel, one.session && `session ${one.session}…`].filter(Boolean).join(", ");
      const line = element("li", `${about}${about ? ": " : ""}${one.text} `);
      line.append(element("code", one.code));
      line.dataset.channel = one.channel;
      return line;
    }),
  );
});

setInterval(() => {
  if (token && !document.hidden) void said(look);
}, EVERY_MS);
