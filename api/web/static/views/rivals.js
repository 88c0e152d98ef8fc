// @ts-check
/** Whom one compares oneself with: XP since then, one's own and theirs. */
import { figure } from "../words.js";
import { REMOVE_RIVAL, RIVALS } from "./documents.js";
import { bar, card, day, hint, link, make, sureAction, view } from "./kit.js";

/** @type {import("../router.js").Show} */
export async function show(context) {
  const { rivals } = await context.session.graphql(RIVALS);
  if (!rivals.length) {
    const how = hint(
      "No rival yet. ",
      link("people", "Find somebody"),
      ", open their profile and choose “Add as a rival”.",
    );
    return view(card("Rivals", how));
  }
  const rows = rivals.map((rival) => rivalRow(context, rival));
  return view(
    card(
      "Rivals",
      make("ul", { class: "rows", role: "list", "aria-label": "Rivals" }, ...rows),
      hint("Brought up to date every hour. At most ten."),
    ),
  );
}

/**
 * @param {import("../router.js").Context} context
 * @param {import("./documents.js").Rival} rival
 */
function rivalRow({ session, reload }, { profile, myScore, theirScore, since }) {
  const most = Math.max(myScore, theirScore);
  const remove = async () => {
    await session.graphql(REMOVE_RIVAL, { id: profile.id });
    await reload();
  };
  const bars = make(
    "ul",
    { class: "bars", role: "list" },
    make("li", {}, make("span", {}, "You"), bar(myScore, most), make("span", {}, `${figure(myScore)} XP`)),
    make("li", {}, make("span", {}, profile.name), bar(theirScore, most), make("span", {}, `${figure(theirScore)} XP`)),
  );
  return make(
    "li",
    { class: "row rival" },
    make(
      "span",
      { class: "who-row" },
      link(`person/${profile.id}`, profile.name),
      make("span", { class: "hint" }, `Since ${day(since)}`),
    ),
    bars,
    sureAction("Remove", `Compare yourself with ${profile.name} no more?`, remove),
  );
}
