// @ts-check
/** Whom one finds, follows and is followed by; who asks; and what those whom one follows have done. */
import { ago, describe, messageOf } from "../words.js";
import { between, FOLLOWERS, FOLLOWING, FOLLOWING_FEED, REQUESTS, SEARCH } from "./documents.js";
import { action, card, hint, link, make, pages, tabs, view } from "./kit.js";
import { personRow } from "./people-row.js";

const TYPED_MS = 250; // after the last key: a search a word, not one a letter

/**
 * @typedef {import("../router.js").Context} Context
 * @typedef {import("./documents.js").Person} Person
 */

/** @type {Record<string, (context: Context, id: string) => Promise<HTMLElement>>} */
const PARTS = {
  find: async (context) => finder(context),
  news,
  requests,
  followers: (context, id) => listed(context, "Followers", FOLLOWERS, id, "Nobody yet who is to be seen here."),
  following: (context, id) => listed(context, "Following", FOLLOWING, id, "Nobody yet who is to be seen here."),
};

/** @type {import("../router.js").Show} */
export async function show(context, part = "find", id = "") {
  const { user } = context.session;
  const whose = id || user?.id || "";
  const made = Object.hasOwn(PARTS, part) && (user || part === "find") ? PARTS[part] : PARTS.find;
  const ways = [
    { to: "people", words: "Find" },
    ...(user
      ? [
          { to: "people/news", words: "What they did" },
          { to: "people/requests", words: "Requests" },
          { to: "people/followers", words: "My followers" },
          { to: "people/following", words: "I follow" },
        ]
      : []),
  ];
  const here = part === "find" ? "people" : `people/${part}`;
  return view(tabs("People", ways, id ? "" : here), await made(context, whose));
}

/** @param {Context} context */
function finder(context) {
  const found = make("div", { "aria-live": "polite" }, hint("Type the beginning of a name."));
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  let run = 0;
  const look = async () => {
    const search = field.value.trim();
    const mine = ++run;
    const shown = search ? await results(context, search) : hint("Type the beginning of a name.");
    if (mine === run) found.replaceChildren(shown);
  };
  const field = make("input", {
    type: "search",
    maxlength: 80,
    autocomplete: "off",
    input: () => {
      clearTimeout(timer);
      timer = setTimeout(look, TYPED_MS);
    },
  });
  const form = make(
    "form",
    {
      role: "search",
      submit: (/** @type {Event} */ event) => {
        event.preventDefault();
        clearTimeout(timer);
        look();
      },
    },
    make("label", {}, "Name", field),
  );
  return card("Find people", form, found);
}

/**
 * @param {Context} context
 * @param {string} search
 */
async function results(context, search) {
  const nobody = hint(
    `Nobody whose name has a word that begins with “${search}”. Only people whom everyone may see are found: ask the ` +
      "others for the link to their profile.",
  );
  const page = async (/** @type {string | null} */ after) =>
    (await context.session.graphql(SEARCH, { search, after })).profiles;
  try {
    return await pages("People found", page, (person) => personRow(context, person), nobody);
  } catch (error) {
    return hint(messageOf(error));
  }
}

/**
 * @param {Context} context
 * @param {string} title
 * @param {import("./documents.js").Document<{people: import("./kit.js").Connection<Person>}>} query
 * @param {string} id
 * @param {string} empty
 */
async function listed(context, title, query, id, empty) {
  const page = async (/** @type {string | null} */ after) =>
    (await context.session.graphql(query, { id, after })).people;
  const nobody = hint(`${empty} `, link("people", "Find people"));
  return card(title, await pages(title, page, (person) => personRow(context, person), nobody));
}

/** @param {Context} context */
async function requests(context) {
  const { session } = context;
  const page = async (/** @type {string | null} */ after) => (await session.graphql(REQUESTS, { after })).people;
  const nobody = hint(
    "Nobody asks to follow you. Requests come while ",
    link("privacy", "only followers may see you"),
    ".",
  );
  return card("Follow requests", await pages("Follow requests", page, (person) => requestRow(context, person), nobody));
}

/**
 * @param {Context} context
 * @param {Person} person
 */
function requestRow(context, person) {
  const { session } = context;
  /** @type {(field: string, words: string) => () => Promise<void>} */
  const answer = (field, words) => async () => {
    await session.graphql(between(field), { id: person.id });
    row.replaceChildren(make("span", { role: "status" }, `${person.name} ${words}.`));
  };
  const row = personRow(
    context,
    person,
    action("Accept", answer("acceptFollow", "follows you now"), {
      class: "primary",
      "aria-label": `Accept: ${person.name}`,
    }),
    action("Decline", answer("declineFollow", "was declined, and is not told"), {
      "aria-label": `Decline: ${person.name}`,
    }),
  );
  return row;
}

/** @param {Context} context */
async function news({ session }) {
  const page = async (/** @type {string | null} */ after) => (await session.graphql(FOLLOWING_FEED, { after })).feed;
  const nothing = hint(
    "Nothing yet. Here stands what those whom you follow have done: ",
    link("people", "find people"),
    ".",
  );
  return card("What they did", await pages("What they did", page, event, nothing));
}

/** @param {import("../documents.js").ApiEvent} event */
function event(event) {
  const { title, detail } = describe(event);
  const name = event.actor ? link(`person/${event.actor.id}`, title) : title;
  return make(
    "li",
    { class: "row" },
    make("span", { class: "who-row" }, name, make("span", { class: "hint" }, detail)),
    make("time", { datetime: event.createdAt, class: "hint" }, ago(event.createdAt)),
  );
}
