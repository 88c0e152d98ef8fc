// @ts-check
/**
 * The pages behind the `#` of the address. Each is a module of its own that is fetched when somebody goes there, so the
 * first visit pays for none of them.
 *
 *   new Router({ home, place, nav, context }).start();
 *
 * A view is `show(context, ...args) → Promise<Element>`; what it throws is said, with a way to try again.
 */
import { messageOf } from "./words.js";

/**
 * @typedef {object} Context  what a view is given
 * @property {import("./session.js").Session} session
 * @property {import("./client.js").LiveClient} live
 * @property {(query: import("./documents.js").Document<{feed: import("./documents.js").FeedPage}>, variables?: object) => (after: string | null) => Promise<import("./documents.js").FeedPage>} page
 * @property {(eventId: string) => Promise<{highFives: number}>} highFive
 * @property {() => Promise<void>} account  something that the home page tells of the account has changed
 * @property {(mode: "sign-in" | "sign-up") => void} signIn
 * @property {() => Promise<void>} reload  shows the view again, with what is so now
 *
 * @typedef {(context: Context, ...args: string[]) => Promise<HTMLElement>} Show
 * @typedef {keyof typeof import("./views/views.js")} Name
 * @typedef {{title: string, signedIn?: boolean}} View
 */

/** @type {Record<Name, View>} */
const VIEWS = {
  me: { title: "My profile", signedIn: true },
  muscles: { title: "My muscles", signedIn: true },
  people: { title: "People" },
  person: { title: "Profile" },
  leaderboard: { title: "Leaderboard" },
  challenges: { title: "Challenges", signedIn: true },
  rivals: { title: "Rivals", signedIn: true },
  credits: { title: "Credits", signedIn: true },
  privacy: { title: "Privacy and data", signedIn: true },
};
const PATH = /^#\/(.+)$/;
const SHEET = "/static/views/views.css";

export class Router {
  #home;
  #place;
  #nav;
  #context;
  #shown = ""; // the name of the view in #place
  #run = 0; // what was begun before the last one is dropped
  #title = document.title;
  /** @type {Promise<void> | null} */
  #sheet = null;

  /** @param {{home: HTMLElement, place: HTMLElement, nav: HTMLElement, context: Omit<Context, "reload">}} parts */
  constructor({ home, place, nav, context }) {
    this.#home = home;
    this.#place = place;
    this.#nav = nav;
    this.#context = { ...context, reload: () => this.#show(false) };
  }

  start() {
    addEventListener("hashchange", () => this.#show(true));
    this.#context.session.addEventListener("change", () => this.#show(false));
    this.#show(false);
  }

  /** @param {boolean} moved  somebody went there: the reader's place is its heading */
  async #show(moved) {
    if (location.hash && !location.hash.startsWith("#/")) return; // the link of a mail, or of a place on the page
    const run = ++this.#run;
    const [name, ...args] = (PATH.exec(location.hash)?.[1] ?? "").split("/").map(plain);
    const user = this.#context.session.user;
    for (const one of this.#nav.querySelectorAll("[data-signed-in]")) one.toggleAttribute("hidden", !user);
    this.#mark(name);
    this.#home.hidden = Boolean(name);
    this.#place.hidden = !name;
    const known = Object.hasOwn(VIEWS, name) ? /** @type {Name} */ (name) : null;
    document.title = known ? `${VIEWS[known].title} · ${this.#title}` : this.#title;
    if (!name) {
      this.#shown = "";
      this.#place.replaceChildren();
      return;
    }
    if (name !== this.#shown) this.#place.replaceChildren(box("Loading…"));
    this.#place.ariaBusy = "true";
    const shown = await this.#made(known, args);
    if (run !== this.#run) return;
    this.#shown = name;
    this.#place.ariaBusy = "false";
    this.#place.replaceChildren(shown);
    if (moved) this.#settle();
  }

  /**
   * @param {Name | null} name
   * @param {string[]} args
   */
  async #made(name, args) {
    this.#sheet ??= sheet();
    await this.#sheet;
    if (!name) return box("There is no such page.", link("See what is live", "#/"));
    const { title, signedIn } = VIEWS[name];
    if (signedIn && !this.#context.session.user) return this.#invitation(title);
    try {
      const views = await import("./views/views.js");
      return await views[name](this.#context, ...args);
    } catch (error) {
      return box(
        messageOf(error),
        button("Try again", () => this.#show(true)),
        link("See what is live", "#/"),
      );
    }
  }

  /** @param {string} title */
  #invitation(title) {
    const { signIn } = this.#context;
    const shown = box(
      `${title}: sign in to see this.`,
      button("Sign in", () => signIn("sign-in")),
      button("Create an account", () => signIn("sign-up")),
    );
    return shown;
  }

  /** @param {string} name */
  #mark(name) {
    for (const one of this.#nav.querySelectorAll("a")) {
      const here = (PATH.exec(one.hash)?.[1] ?? "") === name;
      if (here) one.setAttribute("aria-current", "page");
      else one.removeAttribute("aria-current");
      if (here) one.scrollIntoView({ block: "nearest", inline: "nearest" });
    }
  }

  #settle() {
    scrollTo(0, 0);
    const heading = this.#place.querySelector("h2");
    if (!heading) return;
    heading.tabIndex = -1;
    heading.focus({ preventScroll: true });
  }
}

/** @param {string} part */
function plain(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

/** Once its rules are here, or cannot be had: a plain page is better than none. */
function sheet() {
  const made = document.createElement("link");
  made.rel = "stylesheet";
  made.href = SHEET;
  /** @type {Promise<void>} */
  const there = new Promise((resolve) => {
    for (const how of ["load", "error"]) made.addEventListener(how, () => resolve());
  });
  document.head.append(made);
  return there;
}

/**
 * @param {string} words
 * @param {...Element} ways
 */
function box(words, ...ways) {
  const made = document.createElement("section");
  made.className = "card";
  const said = document.createElement("p");
  said.setAttribute("role", "status");
  said.textContent = words;
  const actions = document.createElement("p");
  actions.className = "ways";
  actions.append(...ways);
  made.append(said, ...(ways.length ? [actions] : []));
  return made;
}

/**
 * @param {string} words
 * @param {() => void} pressed
 */
function button(words, pressed) {
  const made = document.createElement("button");
  made.type = "button";
  made.textContent = words;
  made.addEventListener("click", pressed);
  return made;
}

/**
 * @param {string} words
 * @param {string} to
 */
function link(words, to) {
  const made = document.createElement("a");
  made.href = to;
  made.textContent = words;
  return made;
}
