// @ts-check
/** What one has, why workouts are free or cost something, and every change of the balance. */
import { count, figure } from "../words.js";
import { CREDITS, LEDGER } from "./documents.js";
import { card, day, hint, link, make, pages, view } from "./kit.js";

/**
 * @typedef {import("./documents.js").Entry} Entry
 * @typedef {import("./documents.js").Entitlements} Entitlements
 */

/** @type {Record<string, string>} */
const REASONS = { welcome: "Welcome", workout: "A workout", purchase: "Bought", grant: "A gift", refund: "Paid back" };

/** @type {import("../router.js").Show} */
export async function show({ session }) {
  const page = async (/** @type {string | null} */ after) => (await session.graphql(LEDGER, { after })).ledger;
  const nothing = hint("Nothing has come in or gone out yet. ", link("", "Log a workout"));
  const [{ creditBalance, entitlements }, ledger] = await Promise.all([
    session.graphql(CREDITS),
    pages("Changes of the balance", page, entryRow, nothing),
  ]);
  return view(
    card("Credits", make("p", { class: "balance" }, count(creditBalance.credits, "credit")), hint(why(entitlements))),
    card("Every change", ledger),
  );
}

/** @param {Entitlements} entitlements */
function why({ reason, trialEndsAt, subscribedUntil, credits }) {
  if (reason === "SUBSCRIPTION")
    return `Your subscription lasts until ${day(subscribedUntil ?? "")}: workouts cost nothing.`;
  if (reason === "TRIAL")
    return `You try it for free until ${day(trialEndsAt ?? "")}: workouts cost nothing until then.`;
  const ended = trialEndsAt ? `Your free time ended on ${day(trialEndsAt)}. ` : "";
  return (
    ended + (credits ? "Each workout takes its price from your credits." : "Without credits no workout can be logged.")
  );
}

/** @param {Entry} entry */
const entryRow = ({ amount, balanceAfter, reason, createdAt }) =>
  make(
    "li",
    { class: "row" },
    make(
      "span",
      { class: "who-row" },
      REASONS[reason] ?? reason.replaceAll("_", " "),
      make("time", { class: "hint", datetime: createdAt }, day(createdAt)),
    ),
    make("strong", { class: amount > 0 ? "came" : null }, (amount > 0 ? "+" : "−") + figure(Math.abs(amount))),
    make("span", { class: "hint" }, `${figure(balanceAfter)} left`),
  );
