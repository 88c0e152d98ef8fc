/** Puts the page together: session, live connection, map, feeds and form. */
import { backoffMs } from "./backoff.js";
import { LiveClient } from "./client.js";
import { ACCOUNT, COMMUNITY, DASHBOARD, PRESENCE } from "./documents.js";
import "./feed.js";
import "./map.js";
import { Session } from "./session.js";
import { SignIn } from "./signin.js";
import { figure } from "./words.js";
import { WorkoutForm } from "./workout.js";

const BAD_TOKEN = 4500;
const SESSION_REVOKED = 4503;

const at = (id) => document.getElementById(id);
const session = new Session();
const map = at("map");

async function configuration() {
  for (let attempt = 0; ; attempt += 1) {
    try {
      return await (await fetch("/config.json")).json();
    } catch {
      await new Promise((resolve) => setTimeout(resolve, backoffMs(attempt, Math.random())));
    }
  }
}

const [{ rtUrl }] = await Promise.all([configuration(), session.restore()]);
const live = new LiveClient(rtUrl, { token: (expired) => session.token(expired) });
const form = new WorkoutForm(at("workout"), session, showAccount);
const signIn = new SignIn(at("sign-in"), session);

// --- the connection and the numbers

const STATES = { connecting: "Connecting…", open: "Live", stopped: "Disconnected" };

live.addEventListener("state", ({ detail }) => {
  const pill = at("connection");
  pill.dataset.state = detail.state;
  pill.textContent = STATES[detail.state] ?? `Back in ${Math.ceil(detail.retryInMs / 1_000)} s`;
  if (detail.code === BAD_TOKEN || detail.code === SESSION_REVOKED) renew();
});

live.addEventListener("status", ({ detail }) => {
  const pill = at("connection");
  pill.dataset.state = detail.degraded ? "degraded" : "open"; // it is said of an open connection only
  pill.textContent = detail.degraded ? "Live, with delays" : STATES.open;
});

live.addEventListener("online", ({ detail }) => showOnline(detail.users, detail.training));
live.addEventListener("map", ({ detail }) => map.show(detail));
live.addEventListener("error", ({ detail }) => (at("place").textContent = detail.message));

/** The gateway refused this identity for good: another one may come, once a new token says who it is. */
async function renew() {
  await session.token(true).catch(() => {});
  live.start();
}

function showOnline(users, training) {
  at("online").textContent = figure(users);
  at("training").textContent = figure(training);
}

for (const name of ["online", "offline"]) addEventListener(name, () => live.hurry());
document.addEventListener("visibilitychange", () => {
  live.setPresence({ background: document.hidden });
  if (!document.hidden) live.hurry();
});

// --- the own presence

map.addEventListener("viewport", ({ detail }) => live.setViewport(detail));
map.addEventListener("place", ({ detail }) => share(detail));

function share({ lat, lng }) {
  const place = { lat: Math.round(lat * 1e4) / 1e4, lng: Math.round(lng * 1e4) / 1e4 };
  map.here(place);
  live.setPresence(place);
  at("place").textContent = "You are on the map. The ring is seen by you alone.";
}

at("share").addEventListener("click", () => {
  at("place").textContent = "Asking your device…";
  const denied = () => (at("place").textContent = "Your device gives no place. Pick one on the map instead.");
  if (!navigator.geolocation) return denied();
  return navigator.geolocation.getCurrentPosition(
    ({ coords }) => share({ lat: coords.latitude, lng: coords.longitude }),
    denied,
    { maximumAge: 600_000, timeout: 10_000 },
  );
});

at("pick").addEventListener("click", () => map.pick());
map.addEventListener("picking", ({ detail }) => at("pick").setAttribute("aria-pressed", String(detail)));

function tellTraining() {
  const training = at("train").checked;
  const exercise = training ? form.exercise : undefined;
  live.setPresence({ status: training ? "training" : "browsing", exercise });
}

at("train").addEventListener("change", tellTraining);
at("workout").addEventListener("change", ({ target }) => target.name === "exercise" && at("train").checked && tellTraining());
at("audience").addEventListener("change", ({ target }) => live.setPresence({ audience: target.value }));

// --- feeds

const page = (query) => async (after) => (await session.graphql(query, { after })).feed;

at("community").follow({ client: live, channel: "community", page: page(COMMUNITY) });

// --- who is signed in

function showSession() {
  const { user } = session;
  for (const id of ["who", "sign-out", "presence", "log", "mine"]) at(id).hidden = !user;
  for (const id of ["open-sign-in", "welcome"]) at(id).hidden = Boolean(user);
  at("who").textContent = user?.name ?? "";
  document.body.classList.toggle("signed-in", Boolean(user));
  if (!user) {
    at("dashboard").stop();
    map.here(null);
    at("train").checked = false;
    live.setPresence({ lat: undefined, lng: undefined, status: undefined, exercise: undefined, audience: undefined });
    return;
  }
  at("dashboard").follow({ client: live, channel: `user:${user.id}`, page: page(DASHBOARD) });
  form.prepare().catch(complain);
  showAccount();
}

async function showAccount() {
  try {
    const { me, entitlements } = await session.graphql(ACCOUNT);
    at("audience").value = me.audience.toLowerCase();
    at("balance").textContent = balance(entitlements);
  } catch (error) {
    complain(error);
  }
}

function balance({ unlimited, trialEndsAt, credits }) {
  const until = trialEndsAt && new Date(trialEndsAt).toLocaleDateString("en", { day: "numeric", month: "long" });
  if (unlimited) return `Free${until ? ` until ${until}` : ""}. You have ${figure(credits)} credits.`;
  return `You have ${figure(credits)} credits.`;
}

function complain(error) {
  at("balance").textContent = error.message;
}

session.addEventListener("change", () => {
  showSession();
  live.restart();
});
at("sign-out").addEventListener("click", () => session.logout());
at("open-sign-in").addEventListener("click", () => signIn.open("sign-in"));
at("open-sign-up").addEventListener("click", () => signIn.open("sign-up"));

showSession();
live.setPresence({ background: document.hidden });
live.start();
session
  .graphql(PRESENCE)
  .then(({ presenceStats }) => at("online").textContent === "–" && showOnline(presenceStats.online, presenceStats.training))
  .catch(() => {}); // the gateway tells the numbers in a few seconds
