// @ts-check
/** How events, times and numbers are said on the page. */

const number = new Intl.NumberFormat("en");
const relative = new Intl.RelativeTimeFormat("en", { numeric: "auto", style: "short" });
const NAMES_SHOWN = 2;
const OCCASIONS = new Map([
  ["workout_completed", "For a workout"],
  ["level_up", "For a new level"],
  ["milestone_achieved", "For a milestone"],
  ["challenge_completed", "For a challenge"],
]);
/** @type {[Intl.RelativeTimeFormatUnit, number][]} */
const UNITS = [
  ["day", 86_400],
  ["hour", 3_600],
  ["minute", 60],
];

/**
 * @param {number} value
 * @param {string} one
 * @param {string} [many]
 */
export const count = (value, one, many = `${one}s`) => `${number.format(value)} ${value === 1 ? one : many}`;

/** @param {number} value */
export const figure = (value) => number.format(Math.round(value));

/**
 * "3 min. ago"; what is less than a minute old, or ahead by a clock's error, is "just now".
 * @param {string} iso
 * @param {number} [now]
 */
export function ago(iso, now = Date.now()) {
  const seconds = (now - Date.parse(iso)) / 1_000;
  for (const [unit, size] of UNITS) if (seconds >= size) return relative.format(-Math.floor(seconds / size), unit);
  return "just now";
}

/**
 * {icon, title, detail} of an event; unknown types and fields are no reason to show nothing.
 * @param {Pick<import("./protocol.js").FeedEvent, "type" | "actor" | "data">} event
 */
export function describe(event) {
  const who = event.actor?.name;
  const data = event.data ?? {};
  /** @type {(named: string, unnamed: string) => string} */
  const say = (named, unnamed) => (who ? `${who} ${named}` : unnamed);
  const somebody = who ?? "Somebody";
  switch (event.type) {
    case "workout_completed":
      return { icon: "workout", title: say("finished a workout", "Workout finished"), detail: workout(data) };
    case "level_up":
      return { icon: "level", title: say("reached a new level", "New level reached"), detail: level(data) };
    case "milestone_achieved":
      return { icon: "level", title: say("reached a milestone", "Milestone reached"), detail: milestone(data) };
    case "challenge_completed":
      return { icon: "level", title: say("completed a challenge", "Challenge completed"), detail: challenge(data) };
    case "high_five":
      return { icon: "high-five", title: `${somebody} gave you a high five`, detail: occasion(data) };
    case "follow_requested":
      return { icon: "high-five", title: `${somebody} asks to follow you`, detail: "" };
    case "followed":
      return { icon: "high-five", title: `${somebody} follows you`, detail: "" };
    case "credits_granted":
      return { icon: "level", title: "You were given credits", detail: credits(data) };
    default:
      return { icon: "workout", title: String(event.type).replaceAll("_", " "), detail: who ?? "" };
  }
}

/** @param {import("./protocol.js").EventData} data */
const level = ({ level: reached }) => (isFigure(reached) ? `Level ${figure(reached)}` : "");

/** @param {import("./protocol.js").EventData} data */
const credits = ({ credits: given }) => (isFigure(given) ? count(given, "credit") : "");

/** @param {import("./protocol.js").EventData} data */
const occasion = ({ event_type: type }) => OCCASIONS.get(type ?? "") ?? "";

/**
 * "100 workouts", "30 days in a row", "Record: back squat, 82.5 kg".
 * @param {import("./protocol.js").EventData} data
 */
function milestone({ kind, value, exercise }) {
  if (!isFigure(value)) return "";
  if (kind === "workouts") return count(value, "workout");
  if (kind === "streak") return `${count(value, "day")} in a row`;
  const name = typeof exercise === "string" ? `${exercise.replaceAll("-", " ")}, ` : "";
  return kind === "record" ? `Record: ${name}${number.format(value)} kg` : "";
}

/** @param {import("./protocol.js").EventData} data */
function challenge({ challenge: done, reward_xp: reward }) {
  const name = done?.name ?? done?.slug;
  return [...(name ? [name] : []), ...(isFigure(reward) ? [`${figure(reward)} XP`] : [])].join(" · ");
}

/**
 * Version 2, which the community hears, tells steps that were reached: "Legs · 3 or more exercises · over 2,500 …".
 * @param {import("./protocol.js").EventData} data
 */
function workout({ v, focus, exercise_count: several, total_tu: units, exercises }) {
  if (v === 2) {
    const parts = focus?.name ? [focus.name] : [];
    if (isFigure(several)) parts.push(several > 1 ? `${figure(several)} or more exercises` : "one or two exercises");
    if (isFigure(units) && units > 0) parts.push(`over ${figure(units)} training units`);
    return parts.join(" · ");
  }
  const parts = isFigure(units) ? [`${figure(units)} training units`] : [];
  if (Array.isArray(exercises) && exercises.length) {
    const names = exercises.slice(0, NAMES_SHOWN).map((one) => one?.name ?? one?.slug ?? "an exercise");
    const more = exercises.length - names.length;
    parts.push(names.join(", ") + (more ? ` and ${figure(more)} more` : ""));
  }
  return parts.join(" · ");
}

/**
 * @param {unknown} value
 * @returns {value is number}
 */
function isFigure(value) {
  return Number.isFinite(value);
}
