// @ts-check
/** Who may see one, everything that is kept of one, and the end of it: in one place. */
import { ApiError } from "../session.js";
import { count, messageOf } from "../words.js";
import { DELETE_ACCOUNT, EXPORT, PRIVACY, SET_AUDIENCE } from "./documents.js";
import { action, busy, card, hint, link, make, view } from "./kit.js";

/**
 * @typedef {import("../router.js").Context} Context
 * @typedef {import("./documents.js").Audience} Audience
 */

/** @type {{value: Audience, words: string, what: string}[]} */
const AUDIENCES = [
  {
    value: "EVERYONE",
    words: "Everyone",
    what: "You are found by name, stand on leaderboards, and who likes may follow you.",
  },
  {
    value: "FOLLOWERS",
    words: "Followers",
    what: "Who wants to follow you asks first. You are in no search, and without a name on leaderboards.",
  },
  { value: "NOBODY", words: "Nobody", what: "Nobody sees your profile. Followers stay, and read nothing meanwhile." },
];

/** @type {import("../router.js").Show} */
export async function show(context) {
  const { me } = await context.session.graphql(PRIVACY);
  return view(
    card("Who may see me", audience(context, me.audience)),
    card(
      "My data",
      hint(
        "Everything that is kept of you, as one file: profile, workouts, events, credits, whom you follow. Five times a day.",
      ),
      download(context),
    ),
    card("Delete my account", deletion(context, me.email)),
  );
}

/**
 * @param {Context} context
 * @param {Audience} now
 */
function audience({ session, account }, now) {
  const said = make("p", { role: "status" });
  const choose = async (/** @type {Audience} */ value) => {
    said.className = "";
    said.textContent = "Saving…";
    try {
      await session.graphql(SET_AUDIENCE, { audience: value });
      now = value;
      said.textContent = "Saved. It holds from now on, everywhere.";
      await account();
    } catch (error) {
      said.className = "bad";
      said.textContent = messageOf(error);
      for (const one of group.querySelectorAll("input")) one.checked = one.value === now;
    }
  };
  const choices = AUDIENCES.map(({ value, words, what }) => {
    const input = make("input", {
      type: "radio",
      name: "audience",
      value,
      checked: value === now,
      "aria-label": words,
      "aria-describedby": `audience-${value}`,
      change: () => choose(value),
    });
    const said = make("span", { class: "hint", id: `audience-${value}` }, what);
    return make("label", { class: "choice" }, input, make("span", {}, make("strong", {}, words), said));
  });
  const group = make("fieldset", {}, make("legend", { class: "hidden" }, "Who may see me"), ...choices);
  const more = hint(
    "The community hears of your workouts without your name, and places on the map are never told. ",
    link("people/requests", "Follow requests"),
  );
  return make("div", {}, group, said, more);
}

/** @param {Context} context */
function download({ session }) {
  const said = make("p", { role: "status" });
  const get = async () => {
    try {
      const { exportMyData: all } = await session.graphql(EXPORT);
      const file = new Blob([JSON.stringify(all, null, 2)], { type: "application/json" });
      const to = make("a", {
        href: URL.createObjectURL(file),
        download: `musclemap-${all.createdAt.slice(0, 10)}.json`,
      });
      to.click();
      setTimeout(() => URL.revokeObjectURL(to.href), 60_000); // the browser reads it after the click
      const { workouts } = all.data;
      said.textContent = `Saved: ${Array.isArray(workouts) ? count(workouts.length, "workout") : "your data"}, and all that belongs to it.`;
    } catch (error) {
      if (!(error instanceof ApiError) || error.code !== "RATE_LIMITED") throw error;
      throw new Error("You have had five exports today. The next one is there tomorrow.");
    }
  };
  return make("div", {}, action("Download my data", get), said);
}

/**
 * @param {Context} context
 * @param {string} email
 */
function deletion({ session }, email) {
  const password = make("input", {
    type: "password",
    autocomplete: "current-password",
    required: true,
    maxlength: 256,
  });
  const sure = make("input", { type: "checkbox", required: true });
  const said = make("p", { class: "bad", role: "alert" });
  const button = make("button", { type: "submit", class: "danger" }, "Delete my account for good");
  const remove = async () => {
    try {
      await session.graphql(DELETE_ACCOUNT, { password: password.value });
    } catch (error) {
      if (error instanceof ApiError && error.code === "FORBIDDEN")
        throw new Error("That is not your password. Nothing was deleted.");
      throw error;
    }
    location.hash = "#/";
    await session.logout();
  };
  const submit = (/** @type {Event} */ event) => {
    event.preventDefault();
    busy(button, said, remove);
  };
  return make(
    "form",
    { submit },
    hint(
      "Your name, address, notes and sessions are deleted at once, for everybody and for good. Workouts and the books stay under a pseudonym that leads to nobody. ",
      "Take your data with you first.",
    ),
    make("input", { type: "email", autocomplete: "username", value: email, hidden: true, readonly: true }),
    make("label", {}, "Your password", password),
    make("label", { class: "switch" }, sure, "I know that nothing of it comes back"),
    button,
    said,
  );
}
