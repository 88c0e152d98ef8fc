// @ts-check
/** Puts the page together: session, live connection, map, feeds and form. */
import { backoffMs } from "./backoff.js";
import { LiveClient } from "./client.js";
import {
  ACCOUNT,
  COMMUNITY,
  COMMUNITY_TALLIES,
  DASHBOARD,
  DASHBOARD_TALLIES,
  HIGH_FIVE,
  NOW,
  PRESENCE,
} from "./documents.js";
import { find, listen } from "./dom.js";
import { LiveFeed } from "./feed.js";
import { lastKnown } from "./known.js";
import { PresenceMap } from "./map.js";
import { LiveNow } from "./now.js";
import { Offline } from "./offline.js";
import { Outbox } from "./outbox.js";
import { randomUuid } from "./platform.js";
import { Router } from "./router.js";
import { ApiError, messageOf, Session } from "./session.js";
import { here, keepHere, keepView, view } from "./tab.js";
import { Tallies } from "./tallies.js";
import { measure } from "./vitals.js";
import { Waiting } from "./waiting.js";
import { figure } from "./words.js";

const BAD_TOKEN = 4500;
const SESSION_REVOKED = 4503;
const LINK_OF_MAIL = /^#(?:verify|reset)=/;

let unsaid = false; // something of the account could not be had

/** @param {string} id */
const at = (id) => find(document, `#${id}`, HTMLElement);
const session = new Session();
const outbox = new Outbox(session);
const waiting = new Waiting(at("waiting"), outbox);
const offline = new Offline(at("offline"), find(document, "#reload", HTMLButtonElement));
const map = find(document, "#map", PresenceMap);
const community = find(document, "#community", LiveFeed);
const dashboard = find(document, "#dashboard", LiveFeed);
const now = find(document, "#now", LiveNow);
const train = find(document, "#train", HTMLInputElement);
const audience = find(document, "#audience", HTMLSelectElement);

/** @returns {Promise<{rtUrl: string, version: string}>} */
async function configuration() {
  for (let attempt = 0; ; attempt += 1) {
    try {
      return await offline.told(await fetch("/config.json")).json();
    } catch {
      await new Promise((resolve) => setTimeout(resolve, backoffMs(attempt, Math.random())));
    }
  }
}

const [{ rtUrl, version }] = await Promise.all([configuration(), session.restore()]);
const live = new LiveClient(rtUrl, { token: (expired) => session.token(expired) });

// --- what a visit may do without, until somebody asks for it

/** @type {import("./workout.js").WorkoutForm | null} */
let form = null;
/** @type {Promise<import("./signin.js").SignIn> | null} */
let dialog = null;

async function prepareForm() {
  const { WorkoutForm } = await import("./workout.js");
  form ??= new WorkoutForm(find(document, "#workout", HTMLFormElement), session, outbox, showAccount);
  await form.prepare();
}

function signInDialog() {
  const place = find(document, "#sign-in", HTMLDialogElement);
  dialog ??= import("./signin.js").then(({ SignIn }) => new SignIn(place, session));
  dialog.catch(() => (dialog = null)); // it could not be fetched: the next click asks again
  return dialog;
}

/** @param {import("./signin.js").Mode} mode */
async function signIn(mode) {
  (await signInDialog()).open(mode);
}

/** Opens what the link of a mail asks for. */
async function openLink() {
  if (LINK_OF_MAIL.test(location.hash)) (await signInDialog()).openLink();
}

// --- the connection and the numbers

const STATES = { connecting: "Connecting…", open: "Live", stopped: "Disconnected" };

listen(live, "state", (/** @type {import("./client.js").StateChange} */ { state, retryInMs = 0, code }) => {
  const pill = at("connection");
  pill.dataset.state = state;
  pill.textContent = state === "waiting" ? `Back in ${Math.ceil(retryInMs / 1_000)} s` : STATES[state];
  if (code === BAD_TOKEN || code === SESSION_REVOKED) renew();
});

listen(live, "status", (/** @type {{degraded: boolean}} */ { degraded }) => {
  const pill = at("connection");
  pill.dataset.state = degraded ? "degraded" : "open"; // it is said of an open connection only
  pill.textContent = degraded ? "Live, with delays" : STATES.open;
});

listen(live, "online", (/** @type {import("./protocol.js").Online} */ told) => showOnline(told.users, told.training));
listen(live, "map", (/** @type {import("./maptiles.js").Shown} */ shown) => map.show(shown));
listen(live, "error", (/** @type {import("./protocol.js").Refusal} */ { message }) => say(message));

/** The gateway refused this identity for good: another one may come, once a new token says who it is. */
async function renew() {
  await session.token(true).catch(() => {});
  live.start();
}

/** @param {string} words */
function say(words) {
  at("place").textContent = words;
}

/**
 * @param {number} users
 * @param {number} training
 */
function showOnline(users, training) {
  at("online").textContent = figure(users);
  at("online").classList.toggle("full"); // it breathes
  at("training").textContent = figure(training);
}

offline.watch(live, version);
listen(live, "welcome", async () => {
  if (unsaid && session.user) showMine();
  if (await outbox.sync()) showAccount();
});

for (const name of ["online", "offline"]) addEventListener(name, () => live.hurry());
document.addEventListener("visibilitychange", () => {
  live.setPresence({ background: document.hidden });
  if (!document.hidden) live.hurry();
});

// --- the own presence

listen(map, "viewport", (/** @type {import("./protocol.js").Viewport} */ viewport) => live.setViewport(viewport));
listen(map, "place", share);

/** @param {import("./map.js").Place} picked */
function share({ lat, lng }) {
  const place = { lat: Math.round(lat * 1e4) / 1e4, lng: Math.round(lng * 1e4) / 1e4 };
  map.here(place);
  live.setPresence(place);
  remember({ place });
  say("You are on the map. The ring is seen by you alone.");
}

at("share").addEventListener("click", () => {
  say("Asking your device…");
  const denied = () => say("Your device gives no place. Pick one on the map instead.");
  if (!navigator.geolocation) return denied();
  return navigator.geolocation.getCurrentPosition(
    ({ coords }) => share({ lat: coords.latitude, lng: coords.longitude }),
    denied,
    { maximumAge: 600_000, timeout: 10_000 },
  );
});

at("pick").addEventListener("click", () => map.pick());
listen(map, "picking", (/** @type {boolean} */ picking) => at("pick").setAttribute("aria-pressed", String(picking)));

function tellTraining() {
  const training = train.checked;
  const exercise = training ? form?.exercise : undefined;
  live.setPresence({ status: training ? "training" : "browsing", exercise });
  remember({ training, exercise });
}

/** @param {Partial<import("./tab.js").Here>} changes */
function remember(changes) {
  if (session.user) keepHere({ ...here(session.user.id), ...changes });
}

/**
 * Goes on where the page was when it was reloaded.
 * @param {import("./tab.js").Here} before
 */
function takeUp({ place, training = false, exercise }) {
  if (place) map.here(place);
  live.setPresence({ ...place, ...(training && { status: "training", exercise }) });
  train.checked = training;
  const still = [...(place ? ["you are on the map"] : []), ...(training ? ["you are training"] : [])];
  if (still.length) say(`As before in this tab: ${still.join(", and ")}.`);
}

train.addEventListener("change", tellTraining);
at("workout").addEventListener("change", ({ target }) => {
  if (target instanceof HTMLInputElement && target.name === "exercise" && train.checked) tellTraining();
});
audience.addEventListener("change", () => live.setPresence({ audience: audience.value }));

// --- feeds

/** @type {import("./router.js").Context["page"]} */
const page = (query, variables = {}) => async (/** @type {string | null} */ after) =>
  (await session.graphql(query, { ...variables, after, mine: Boolean(session.user) })).feed;

/**
 * The newest page, also without a network: without the viewer's own high fives it is everybody's.
 * @param {string | null} after
 */
function communityPage(after) {
  const ask = () => page(COMMUNITY)(after);
  return after ? ask() : lastKnown("community", ask, { public: everybodys, stale: (when) => offline.stale(when) });
}

/**
 * @param {import("./documents.js").FeedPage} read
 * @returns {import("./documents.js").FeedPage}
 */
const everybodys = (read) => ({ ...read, edges: read.edges.map(({ node: { highFived, ...node } }) => ({ node })) });

/** @param {string} eventId */
async function highFive(eventId) {
  try {
    return (await session.graphql(HIGH_FIVE, { eventId, key: randomUuid() })).sendHighFive;
  } catch (error) {
    throw error instanceof ApiError && error.code === "CONFLICT" ? new Error("That one is your own.") : error;
  }
}

// --- who is signed in

function showSession() {
  const { user } = session;
  for (const id of ["who", "sign-out", "presence", "log", "mine"]) at(id).hidden = !user;
  for (const id of ["open-sign-in", "welcome"]) at(id).hidden = Boolean(user);
  at("who").textContent = user?.name ?? "";
  const mine = user ? { highFive } : {};
  community.follow({ client: live, channel: "community", page: communityPage, ...mine });
  waiting.show();
  if (!user) {
    keepHere(null);
    dashboard.stop();
    map.here(null);
    train.checked = false;
    live.setPresence({ lat: undefined, lng: undefined, status: undefined, exercise: undefined, audience: undefined });
    return;
  }
  dashboard.follow({ client: live, channel: `user:${user.id}`, page: page(DASHBOARD) });
  takeUp(here(user.id));
  showMine();
}

function showMine() {
  unsaid = false;
  prepareForm().catch(complain);
  showAccount();
}

async function showAccount() {
  try {
    const { me, entitlements } = await session.graphql(ACCOUNT);
    audience.value = me.audience.toLowerCase();
    at("balance").textContent = balance(entitlements);
  } catch (error) {
    complain(error);
  }
}

/** @param {import("./documents.js").Entitlements} entitlements */
function balance({ unlimited, trialEndsAt, credits }) {
  const until = trialEndsAt && new Date(trialEndsAt).toLocaleDateString("en", { day: "numeric", month: "long" });
  if (unlimited) return `Free${until ? ` until ${until}` : ""}. You have ${figure(credits)} credits.`;
  return `You have ${figure(credits)} credits.`;
}

/** @param {unknown} error */
function complain(error) {
  unsaid = true;
  at("balance").textContent = messageOf(error);
}

session.addEventListener("change", () => {
  showSession();
  live.restart();
});
at("sign-out").addEventListener("click", () => session.logout());
at("open-sign-in").addEventListener("click", () => signIn("sign-in"));
at("open-sign-up").addEventListener("click", () => signIn("sign-up"));

const looked = view();
showSession();
if (looked) map.look(looked);
addEventListener("pagehide", () => keepView(map.view));
openLink();
addEventListener("hashchange", openLink);
new Router({
  home: at("home"),
  place: at("view"),
  nav: at("nav"),
  context: { session, live, page, highFive, account: showAccount, signIn },
}).start();
new Tallies(community, session, COMMUNITY_TALLIES);
new Tallies(dashboard, session, DASHBOARD_TALLIES);
now.follow(async () => (await session.graphql(NOW)).nowTraining);
listen(community, "row", (/** @type {{type: string}} */ { type }) => now.heard(Number(type === "workout_completed")));
listen(community, "skipped", (/** @type {Record<string, number>} */ more) => now.heard(more.workout_completed ?? 0));
live.setPresence({ background: document.hidden });
measure(live).catch(() => {}); // a page that cannot be measured is a page
live.start();
session
  .graphql(PRESENCE)
  .then(({ presenceStats: { online, training } }) => {
    if (at("online").textContent === "–") showOnline(online, training);
  })
  .catch(() => {}); // the gateway tells the numbers in a few seconds
