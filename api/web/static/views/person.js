// @ts-check
/** Somebody's profile, as the viewer may see it; and what they do, for those who follow them. */
import { LiveFeed } from "../feed.js";
import { ApiError } from "../session.js";
import { Tallies } from "../tallies.js";
import { ADD_RIVAL, BLOCK, CHANNEL_TOKEN, PROFILE, PROFILE_FEED, PROFILE_TALLIES, UNBLOCK } from "./documents.js";
import { action, card, hint, link, make, sureAction, view } from "./kit.js";
import { followButton } from "./people-row.js";
import { achievements, figures, head } from "./profile.js";

/**
 * @typedef {import("../router.js").Context} Context
 * @typedef {import("./documents.js").Profile} Profile
 */

/** @type {import("../router.js").Show} */
export async function show(context, id = "") {
  let profile;
  try {
    ({ profile } = await context.session.graphql(PROFILE, { id }));
  } catch (error) {
    if (!(error instanceof ApiError) || !["NOT_FOUND", "BAD_INPUT"].includes(error.code)) throw error;
  }
  if (!profile) return nobody(context, id);
  const self = profile.followState === "SELF";
  const top = make("section", { class: "card" }, ...head(profile), figures(profile));
  top.append(self ? hint("So others see you. ", link("me", "Your profile")) : ways(context, profile));
  return view(top, card("Achievements", achievements(profile.achievements)), feed(context, profile));
}

/**
 * @param {Context} context
 * @param {string} id
 */
function nobody({ session, reload }, id) {
  const unblock = async () => {
    await session.graphql(UNBLOCK, { id });
    await reload();
  };
  return view(
    card(
      "Nobody to be seen",
      hint(
        "There is no profile here, or it is not for you to see. ",
        !session.user && "Some are seen by those who are signed in. ",
      ),
      session.user && hint("If you have blocked them, you can take it back. "),
      session.user && action("Unblock", unblock),
      hint(link("people", "Find people")),
    ),
  );
}

/**
 * @param {Context} context
 * @param {Profile} profile
 */
function ways(context, profile) {
  const { session, reload } = context;
  const row = make(
    "div",
    { class: "ways" },
    followButton(context, profile, () => reload()),
  );
  if (!session.user) return row;
  const rival = async () => {
    await session.graphql(ADD_RIVAL, { id: profile.id });
    location.hash = "#/rivals";
  };
  const block = async () => {
    await session.graphql(BLOCK, { id: profile.id });
    await reload();
  };
  row.append(
    action("Add as a rival", rival),
    sureAction("Block", `Neither of you will see or follow the other. Block ${profile.name}?`, block),
  );
  return row;
}

/**
 * @param {Context} context
 * @param {Profile} profile
 */
function feed({ session, live, page, highFive }, { id, name, followState }) {
  if (followState !== "FOLLOWING" && followState !== "SELF") {
    const what =
      followState === "REQUESTED"
        ? `${name} has yet to accept your request.`
        : `Follow ${name} to see their workouts as they happen.`;
    return card("Activity", hint(what));
  }
  const channel = `profile:${id}`;
  const made = new LiveFeed();
  made.setAttribute("label", `Events of ${name}`);
  made.setAttribute("empty", `Nothing yet. ${name}'s next workout appears here.`);
  const token = async () => (await session.graphql(CHANNEL_TOKEN, { channel })).channelToken.token;
  // Once it is on the page: one that never gets there would follow for ever.
  const source = { client: live, channel, page: page(PROFILE_FEED, { id }), token };
  new Tallies(made, session, PROFILE_TALLIES, { id });
  setTimeout(() => made.isConnected && made.follow(followState === "SELF" ? source : { ...source, highFive }));
  return card("Activity", made);
}
