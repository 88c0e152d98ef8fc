// @ts-check
/** Somebody in a list, and the button by which one follows them. */
import { figure } from "../words.js";
import { between } from "./documents.js";
import { action, link, make } from "./kit.js";

/**
 * @typedef {import("./documents.js").Person} Person
 * @typedef {import("../router.js").Context} Context
 */

/** @type {Record<"NONE" | "REQUESTED" | "FOLLOWING", {words: string, field: string}>} */
const FOLLOW = {
  NONE: { words: "Follow", field: "follow" },
  REQUESTED: { words: "Take the request back", field: "unfollow" },
  FOLLOWING: { words: "Unfollow", field: "unfollow" },
};

/**
 * @param {Context} context
 * @param {Person} person
 * @param {...Node} actions
 */
export function personRow(context, person, ...actions) {
  const more = [`Level ${figure(person.level)}`, person.followsMe && "follows you"].filter(Boolean).join(" · ");
  return make(
    "li",
    { class: "row" },
    make("span", { class: "who-row" }, link(`person/${person.id}`, person.name), make("span", { class: "hint" }, more)),
    ...(actions.length ? actions : [followButton(context, person)]),
  );
}

/**
 * Follows, takes a request back, or follows no more; afterwards it says what it would do next.
 * @param {Context} context
 * @param {Person} person
 * @param {(person: Person) => void} [changed]
 * @returns {HTMLElement}
 */
export function followButton(context, person, changed = () => {}) {
  const { session, signIn } = context;
  if (person.followState === "SELF") return make("span", { class: "hint" }, "That is you");
  if (!session.user) return action("Follow", async () => signIn("sign-in"));
  const { words, field } = FOLLOW[person.followState];
  const attributes = { class: field === "follow" ? "primary" : "quiet", "aria-label": `${words}: ${person.name}` };
  const made = action(
    words,
    async () => {
      const { profile } = await session.graphql(between(field), { id: person.id });
      const next = followButton(context, profile, changed);
      made.replaceWith(next);
      next.querySelector("button")?.focus();
      changed(profile);
    },
    attributes,
  );
  return made;
}
