// @ts-check
/** How events, times and numbers are said on the page. Pure. */

const number = new Intl.NumberFormat("en");
const relative = new Intl.RelativeTimeFormat("en", { numeric: "auto", style: "short" });
const NAMES_SHOWN = 2;
const TYPES = new Map([
  ["workout_completed", "workout"],
  ["level_up", "level"],
  ["milestone_achieved", "milestone"],
  ["challenge_completed", "challenge"],
  ["high_five", "high five"],
]);
const MILESTONES = new Map([
  ["record", ["set a record", "New record"]],
  ["streak", ["keeps a streak", "A streak was kept"]],
]);
const OCCASIONS = new Map([
  ["workout_completed", "For a workout"],
  ["level_up", "For a new level"],
  ["milestone_achieved", "For a milestone"],
  ["challenge_completed", "For a challenge"],
]);
/** @type {[Intl.RelativeTimeFormatUnit, number][]} */
const UNITS = [
  ["year", 31_536_000],
  ["month", 2_592_000],
  ["week", 604_800],
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
 * @typedef {object} Said
 * @property {string} title
 * @property {string} detail
 */

/**
 * How an event is told; unknown types and fields are no reason to show nothing.
 * @param {Pick<import("./protocol.js").FeedEvent, "type" | "actor" | "data">} event
 * @returns {Said}
 */
export function describe(event) {
  const who = event.actor?.name;
  const data = event.data ?? {};
  /** @type {(named: string, unnamed: string) => string} */
  const say = (named, unnamed) => (who ? `${who} ${named}` : unnamed);
  const somebody = who ?? "Somebody";
  switch (event.type) {
    case "workout_completed": {
      const unnamed = data.focus?.name ? `${data.focus.name} workout` : "Workout finished";
      return { title: say("finished a workout", unnamed), detail: workout(data) };
    }
    case "level_up":
      return { title: say("reached a new level", "New level reached"), detail: level(data) };
    case "milestone_achieved": {
      const [named, unnamed] = MILESTONES.get(data.kind ?? "") ?? ["reached a milestone", "Milestone reached"];
      return { title: say(named, unnamed), detail: milestone(data) };
    }
    case "challenge_completed":
      return { title: say("completed a challenge", "Challenge completed"), detail: challenge(data) };
    case "high_five":
      return { title: `${somebody} gave you a high five`, detail: occasion(data) };
    case "follow_requested":
      return { title: `${somebody} asks to follow you`, detail: "" };
    case "followed":
      return { title: `${somebody} follows you`, detail: "" };
    case "credits_granted":
      return { title: "You were given credits", detail: credits(data) };
    default:
      return { title: String(event.type).replaceAll("_", " "), detail: who ?? "" };
  }
}

/**
 * How events are told together that piles.js has put together.
 * @param {import("./piles.js").Pile} pile
 * @returns {Said}
 */
export function describePile({ kind, events, count: all }) {
  const [newest] = events;
  if (kind === "workouts") {
    const parts = tally(events.map((event) => event.data?.focus?.name ?? "Other"));
    return { title: count(all, "workout"), detail: listed(parts) };
  }
  if (kind === "deeds") {
    const reached = events.map((event) => describe(event).detail).filter(Boolean);
    const title = `${newest.actor?.name ?? "Somebody"} reached ${count(all, "goal")}`;
    return { title, detail: reached.join(" · ") };
  }
  const people = names(events.map((event) => event.actor?.name ?? "Somebody"));
  if (kind === "followers") return { title: `${people} follow you`, detail: "" };
  const occasions = [...new Set(events.map((event) => occasion(event.data ?? {})))].filter(Boolean);
  return { title: `${people} gave you ${count(all, "high five")}`, detail: occasions.join(" · ") };
}

/**
 * "1,200 workouts, 34 levels": how many of each type.
 * @param {Record<string, number>} counts
 */
export function ofTypes(counts) {
  const most = Object.entries(counts).sort(([, a], [, b]) => b - a);
  return most.map(([type, number]) => count(number, TYPES.get(type) ?? type.replaceAll("_", " "))).join(", ");
}

/**
 * How many there are of each word, the most frequent first.
 * @param {string[]} words
 */
function tally(words) {
  /** @type {Map<string, number>} */
  const found = new Map();
  for (const word of words) found.set(word, (found.get(word) ?? 0) + 1);
  return [...found].sort(([, a], [, b]) => b - a);
}

/** @param {[string, number][]} parts */
const listed = (parts) => parts.map(([name, number]) => `${name} ${figure(number)}`).join(", ");

/**
 * "Ada", "Ada and Bea", "Ada, Bea and 3 others": each name once.
 * @param {string[]} all
 */
function names(all) {
  const each = [...new Set(all)];
  const others = each.length - NAMES_SHOWN;
  if (others <= 0) return each.join(" and ");
  return `${each.slice(0, NAMES_SHOWN).join(", ")} and ${count(others, "other")}`;
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
 * Version 2, which the community hears, tells steps that were reached: "3 or more exercises · over 2,500 …".
 * @param {import("./protocol.js").EventData} data
 */
function workout({ v, exercise_count: several, total_tu: units, exercises }) {
  if (v === 2) {
    const parts = [];
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
export function isFigure(value) {
  return Number.isFinite(value);
}

/**
 * What somebody may be told of whatever was thrown.
 * @param {unknown} error
 */
export const messageOf = (error) => (error instanceof Error ? error.message : String(error));
