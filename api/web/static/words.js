/** How events, times and numbers are said on the page. */

const number = new Intl.NumberFormat("en");
const relative = new Intl.RelativeTimeFormat("en", { numeric: "auto", style: "short" });
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
  const who = event.actor?.name ?? "Somebody";
  const data = event.data ?? {};
  switch (event.type) {
    case "workout_completed":
      return { icon: "workout", title: `${who} finished a workout`, detail: workout(data) };
    case "level_up":
      return { icon: "level", title: `${who} reached level ${data.level ?? "next"}`, detail: "" };
    case "milestone_achieved":
      return { icon: "level", title: `${who} reached a milestone`, detail: String(data.milestone ?? "") };
    case "high_five":
      return { icon: "high-five", title: `${who} sent a high five`, detail: "" };
    default:
      return { icon: "workout", title: `${who}: ${String(event.type).replaceAll("_", " ")}`, detail: "" };
  }
}

function workout(data) {
  const parts = [];
  const exercises = Array.isArray(data.exercises) ? data.exercises.length : data.exercises;
  if (Number.isFinite(exercises)) parts.push(count(exercises, "exercise"));
  if (Number.isFinite(data.sets)) parts.push(count(data.sets, "set"));
  if (Number.isFinite(data.total_tu)) parts.push(`${figure(data.total_tu)} training units`);
  const muscles = names(data.muscles) || names(data.exercises);
  if (muscles) parts.push(muscles);
  return parts.join(" · ");
}

function names(list) {
  if (!Array.isArray(list)) return "";
  const words = list.map((one) => (typeof one === "string" ? one : (one?.name ?? one?.slug ?? one?.muscle)));
  const shown = words.filter((word) => typeof word === "string").slice(0, 3);
  return shown.map((word) => word.replaceAll("-", " ")).join(", ");
}
