// @ts-check
/** The page of operators. The access token is in memory alone: a reload signs out. */
import { find } from "./dom.js";

const EVERY_MS = 3_000;

/**
 * @typedef {{channel: string, deliveriesPerS: number, eventsPerS: number, readers: number, offset: number}} Hot
 * @typedef {{gateway: string, pid: number, connections: number, lateMs: number, memory: number, wrong: string}} Process
 * @typedef {{job: string, finished: string | null, took_s: number | null, result: number | null, done: boolean, failures: number, error: string | null}} Job
 * @typedef {object} Overview
 * @property {number} asked
 * @property {number} answered
 * @property {{online: number, training: number}} presence
 * @property {{waiting: number, lagS: number}} relay
 * @property {Record<string, number>} figures
 * @property {Hot[]} channels
 * @property {Process[]} processes
 * @property {{why: string, count: number}[]} closes
 * @property {{user: string, protocol: string, unread: number}[]} slow
 * @property {Job[]} jobs
 * @property {{key: string, enabled: boolean}[]} flags
 * @typedef {{code: string, text: string, channel: string, session: string}} Reason
 */

const state = find(document, "#state", HTMLElement);
const signIn = find(document, "#sign-in", HTMLFormElement);
const all = find(document, "#all", HTMLElement);
const why = find(document, "#why", HTMLFormElement);
const reasons = find(document, "#reasons", HTMLOListElement);
let token = "";

/**
 * @param {string} path
 * @param {object} [body]
 * @returns {Promise<unknown>}
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

/**
 * @template T
 * @param {string} id
 * @param {T[]} rows
 * @param {[heading: string, of: (row: T) => string | number][]} columns
 */
function show(id, rows, columns) {
  const head = document.createElement("tr");
  head.append(...columns.map(([heading]) => element("th", heading)));
  const lines = rows.map((row) => {
    const line = document.createElement("tr");
    line.append(...columns.map(([, of]) => element("td", of(row))));
    return line;
  });
  find(document, `#${id}`, HTMLTableElement).replaceChildren(head, ...lines);
}

/** @param {Record<string, number>} numbers */
function sum(numbers) {
  const shown = Object.entries(numbers).map(([name, value]) => {
    const one = document.createElement("div");
    one.append(element("dt", name), element("dd", value));
    return one;
  });
  find(document, "#numbers", HTMLElement).replaceChildren(...shown);
}

/** @param {Job} job */
function newest(job) {
  if (job.done) return "done";
  return job.error ? `failed ${job.failures} times: ${job.error}` : "under way";
}

async function look() {
  const told = /** @type {Overview} */ (await ask("/api/v1/admin/overview"));
  const missing = told.asked - told.answered;
  state.textContent = missing ? `${missing} of ${told.asked} processes do not answer` : `${told.asked} processes answer`;
  sum({
    Sockets: told.figures.rt_connections ?? 0,
    "Signed-in users": told.figures.rt_users ?? 0,
    "People online": told.presence.online,
    Training: told.presence.training,
    Channels: told.figures.rt_channels ?? 0,
    "Slow readers": told.figures.rt_slow ?? 0,
    "Events that wait": told.relay.waiting,
    "Relay lag, s": told.relay.lagS,
  });
  show("channels", told.channels, [
    ["channel", (row) => row.channel],
    ["deliveries/s", (row) => row.deliveriesPerS],
    ["events/s", (row) => row.eventsPerS],
    ["readers", (row) => row.readers],
    ["newest", (row) => row.offset],
  ]);
  show("processes", told.processes, [
    ["gateway", (row) => row.gateway],
    ["process", (row) => String(row.pid)],
    ["sockets", (row) => row.connections],
    ["late at most, ms", (row) => row.lateMs],
    ["memory, MB", (row) => Math.round(row.memory / 1e6)],
    ["wrong", (row) => row.wrong],
  ]);
  show("closes", told.closes, [
    ["why", (row) => row.why],
    ["sockets", (row) => row.count],
  ]);
  show("slow", told.slow, [
    ["user", (row) => row.user || "nobody"],
    ["protocol", (row) => row.protocol],
    ["bytes not taken", (row) => row.unread],
  ]);
  show("jobs", told.jobs, [
    ["job", (row) => row.job],
    ["last run", (row) => (row.finished ? new Date(row.finished).toLocaleString() : "never")],
    ["took, s", (row) => (row.took_s ?? 0).toFixed(2)],
    ["changed", (row) => row.result ?? 0],
    ["newest slot", newest],
  ]);
  show("flags", told.flags, [
    ["flag", (row) => row.key],
    ["for all", (row) => (row.enabled ? "on" : "off")],
  ]);
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
  const told = /** @type {{accessToken: string}} */ (await ask("/api/v1/auth/login", fields));
  token = told.accessToken;
  signIn.reset();
  await look();
});

submits(why, async (fields) => {
  const told = /** @type {{reasons: Reason[]}} */ (await ask("/api/v1/admin/why", fields));
  reasons.replaceChildren(
    ...told.reasons.map((one) => {
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
