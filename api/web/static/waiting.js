// @ts-check
/** Tells somebody which of their workouts wait on this device, and what the server does not take. */
import { count } from "./words.js";

/** @typedef {import("./outbox.js").Entry} Entry */

export class Waiting {
  #place;
  #outbox;
  #run = 0;

  /**
   * @param {HTMLElement} place
   * @param {import("./outbox.js").Outbox} outbox
   */
  constructor(place, outbox) {
    this.#place = place;
    this.#outbox = outbox;
    outbox.addEventListener("change", () => this.show());
  }

  async show() {
    const run = ++this.#run;
    const entries = await this.#outbox.entries();
    if (run !== this.#run) return;
    const waiting = entries.filter(({ refused }) => !refused).length;
    this.#place.dataset.waiting = String(waiting);
    this.#place.hidden = !entries.length;
    this.#place.replaceChildren(
      ...(waiting ? [said(`${count(waiting, "workout")} kept on this device: sent once, when there is a connection.`)] : []),
      ...entries.filter(({ refused }) => refused).map((one) => this.#refused(one)),
    );
  }

  /** @param {Entry} entry */
  #refused({ key, at, refused }) {
    const when = new Date(at).toLocaleString("en", { day: "numeric", month: "long", hour: "numeric", minute: "2-digit" });
    const made = said(`The workout that you saved on ${when} was not taken: ${refused}`);
    made.append(
      " ",
      button("Send again", () => this.#outbox.again(key)),
      " ",
      button("Discard", () => this.#outbox.drop(key)),
    );
    return made;
  }
}

/** @param {string} words */
function said(words) {
  const made = document.createElement("p");
  made.className = "hint";
  made.textContent = words;
  return made;
}

/**
 * @param {string} words
 * @param {() => Promise<unknown>} act
 */
function button(words, act) {
  const made = document.createElement("button");
  made.type = "button";
  made.className = "quiet";
  made.textContent = words;
  made.addEventListener("click", () => act());
  return made;
}
