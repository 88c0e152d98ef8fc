/** How events, times and numbers are said on the page. */

const number = new Intl.NumberFormat("en");
const relative = new Intl.RelativeTimeFormat("en", { numeric: "auto", style: "short" });
const NAMES_SHOWN = 2;
const UNITS = [
  ["day", 86_400],
  ["hour", 3_600],
  ["minute", 60],
];

export const count = (value, one, many = `${one}s`) => `${number.format(value)} ${value === 1 ? one : many}`;

export const figure = (value) => number.format(Math.round(value));

/** "3 min. ago"; what is less than a minute old, or ahead by a clock's error, is "just now". */
export function ago(iso, now = Date.now()) {
  const seconds = (now - Date.parse(iso)) / 1_000;
  for (const [unit, size] of UNITS) if (seconds >= size) return relative.format(-Math.floor(seconds / size), unit);
  return "just now";
}

/** {icon, title, detail} of an event; unknown types and fields are no reason to show nothing. */
export function describe(event) {
  const who = event.actor?.name;
  const data = event.data ?? {};
  const say = (named, unnamed) => (who ? `${who} ${named}` : unnamed);
  switch (event.type) {
    case "workout_completed":
      return { icon: "workout", title: say("finished a workout", "Workout finished"), detail: workout(data) };
    case "level_up":
      return { icon: "level", title: say("reached a new level", "New level reached"), detail: words(data.level, "Level ") };
    case "milestone_achieved":
      return { icon: "level", title: say("reached a milestone", "Milestone reached"), detail: words(data.milestone) };
    case "high_five":
      return { icon: "high-five", title: say("sent a high five", "High five"), detail: "" };
    default:
      return { icon: "workout", title: String(event.type).replaceAll("_", " "), detail: who ?? "" };
  }
}

/** Version 2, which the community hears, tells steps that were reached: "Legs · 3 or more exercises · over 2,500 …". */
function workout({ v, focus, exercise_count: several, total_tu: units, exercises }) {
  if (v === 2) {
    const parts = focus?.name ? [focus.name] : [];
    if (Number.isFinite(several)) parts.push(several > 1 ? `${figure(several)} or more exercises` : "one or two exercises");
    if (units > 0) parts.push(`over ${figure(units)} training units`);
    return parts.join(" · ");
  }
  const parts = Number.isFinite(units) ? [`${figure(units)} training units`] : [];
  if (Array.isArray(exercises) && exercises.length) {
    const names = exercises.slice(0, NAMES_SHOWN).map((one) => one?.name ?? one?.slug ?? "an exercise");
    const more = exercises.length - names.length;
    parts.push(names.join(", ") + (more ? ` and ${figure(more)} more` : ""));
  }
  return parts.join(" · ");
}

const words = (value, before = "") => (value === undefined ? "" : `${before}${value}`);
