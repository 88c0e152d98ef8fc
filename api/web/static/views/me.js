// @ts-check
/** One's own profile: level, streak, achievements, muscles, and by which calendar and in which way one trains. */
import { count } from "../words.js";
import { ME, SET_ARCHETYPE, SET_TIME_ZONE } from "./documents.js";
import { action, busy, card, day, hint, link, make, view } from "./kit.js";
import { achievements, figures, head } from "./profile.js";

/**
 * @typedef {import("../router.js").Context} Context
 * @typedef {import("./documents.js").Me} Me
 */

/** @type {import("../router.js").Show} */
export async function show(context) {
  const id = context.session.user?.id ?? "";
  const { me, streak, profile, ...known } = await context.session.graphql(ME, { id });
  if (!profile) throw new Error("Your account is gone.");
  const longest = { words: "Longest streak", value: count(streak.longest, "day") };
  const top = make("section", { class: "card" }, ...head(profile), figures(profile, longest), hint(...lasting(streak)));
  return view(
    top,
    card("Achievements", achievements(profile.achievements, known.achievements)),
    card(
      "Muscles",
      hint("What you have trained, by muscle and week: ", link("muscles", "history of your muscles"), "."),
    ),
    card("How you train", archetype(context, me, known.archetypes), zone(context, me)),
    card(
      "Your link",
      hint("Whoever you give it to can find you: "),
      own(id),
      hint("Who sees what there, you say under ", link("privacy", "Privacy and data"), "."),
    ),
  );
}

/** @param {import("./documents.js").Streak} streak */
function lasting({ current, lastDate }) {
  if (!lastDate) return ["Log a workout and a streak begins. It lasts as long as each day has one."];
  const last = `Last workout on ${day(`${lastDate}T12:00`)}.`;
  return current
    ? [`${last} Train again before tomorrow is over to keep the streak.`]
    : [`${last} The next one begins a new streak.`];
}

/** @param {string} id */
function own(id) {
  const field = make("input", {
    readonly: true,
    "aria-label": "Link to your profile",
    value: `${location.origin}/#/person/${id}`,
  });
  const said = make("span", { role: "status", class: "hint" });
  const copy = async () => {
    field.select();
    await navigator.clipboard?.writeText(field.value);
    said.textContent = navigator.clipboard ? "Copied." : "Copy it by your keyboard.";
  };
  return make("div", { class: "beside" }, field, action("Copy", copy), said);
}

/**
 * @param {Context} context
 * @param {Me} me
 * @param {import("./documents.js").Named[]} all
 */
function archetype(context, me, all) {
  const select = make(
    "select",
    {},
    !me.archetype && make("option", { value: "" }, "Choose one…"),
    ...all.map(({ id, name }) => make("option", { value: id, selected: id === me.archetype?.id }, name)),
  );
  const what = hint();
  const tell = () => (what.textContent = all.find(({ id }) => id === select.value)?.description ?? "");
  select.addEventListener("change", tell);
  tell();
  const save = async () => {
    if (!select.value) throw new Error("Choose one first.");
    await context.session.graphql(SET_ARCHETYPE, { id: select.value });
    await context.reload();
  };
  return setting("Way to train", select, what, save);
}

/**
 * @param {Context} context
 * @param {Me} me
 */
function zone(context, me) {
  const device = Intl.DateTimeFormat().resolvedOptions().timeZone;
  const all = [...new Set([me.timeZone, device, ...Intl.supportedValuesOf("timeZone")])].sort();
  const select = make(
    "select",
    {},
    ...all.map((name) => make("option", { value: name, selected: name === me.timeZone }, name)),
  );
  const differs = device !== me.timeZone && ` This device is in ${device}.`;
  const what = hint("Your days and streaks begin and end by it.", differs);
  const save = async () => {
    await context.session.graphql(SET_TIME_ZONE, { zone: select.value });
    await context.reload();
  };
  return setting("Time zone", select, what, save);
}

/**
 * @param {string} words
 * @param {HTMLSelectElement} select
 * @param {HTMLElement} what
 * @param {() => Promise<void>} save
 */
function setting(words, select, what, save) {
  const said = make("span", { class: "bad", role: "alert" });
  const button = make("button", { type: "submit", "aria-label": `Save: ${words}` }, "Save");
  const submit = (/** @type {Event} */ event) => {
    event.preventDefault();
    busy(button, said, save);
  };
  return make(
    "form",
    { submit },
    make("div", { class: "beside" }, make("label", {}, words, select), button),
    what,
    said,
  );
}
