// @ts-check
/** The dialog that signs up and in. */
import { find } from "./dom.js";
import { keepsData } from "./platform.js";
import { messageOf } from "./session.js";

/** @satisfies {Record<string, {title: string, question: string, other: string, password: AutoFill}>} */
const WORDS = {
  "sign-in": { title: "Sign in", question: "New here?", other: "Create an account", password: "current-password" },
  "sign-up": { title: "Create an account", question: "Have an account?", other: "Sign in", password: "new-password" },
};

/** @typedef {keyof typeof WORDS} Mode */

export class SignIn {
  #dialog;
  #form;
  #name;
  #email;
  #password;
  #button;
  #session;
  /** @type {Mode} */
  #mode = "sign-in";

  /**
   * @param {HTMLDialogElement} dialog
   * @param {import("./session.js").Session} session
   */
  constructor(dialog, session) {
    this.#dialog = dialog;
    this.#session = session;
    this.#form = find(dialog, "form", HTMLFormElement);
    this.#name = find(dialog, "[name=name]", HTMLInputElement);
    this.#email = find(dialog, "[name=email]", HTMLInputElement);
    this.#password = find(dialog, "[name=password]", HTMLInputElement);
    this.#button = find(dialog, "button.primary", HTMLButtonElement);
    find(dialog, "#not-kept", HTMLElement).hidden = keepsData;
    this.#form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#submit();
    });
    find(dialog, ".close", HTMLElement).addEventListener("click", () => dialog.close());
    find(dialog, "#other-mode", HTMLElement).addEventListener("click", () => {
      this.#show(this.#mode === "sign-in" ? "sign-up" : "sign-in");
    });
  }

  /** @param {Mode} mode */
  open(mode) {
    this.#show(mode);
    this.#dialog.showModal();
  }

  /** @param {Mode} mode */
  #show(mode) {
    this.#mode = mode;
    const words = WORDS[mode];
    find(this.#dialog, "h2", HTMLElement).textContent = words.title;
    this.#button.textContent = words.title;
    find(this.#dialog, "#other-question", HTMLElement).textContent = words.question;
    find(this.#dialog, "#other-mode", HTMLElement).textContent = words.other;
    find(this.#dialog, "#name-field", HTMLElement).hidden = mode === "sign-in";
    this.#name.required = mode === "sign-up";
    this.#password.autocomplete = words.password;
    this.#say("");
  }

  async #submit() {
    const email = this.#email.value;
    const password = this.#password.value;
    this.#button.disabled = true;
    this.#say("");
    try {
      if (this.#mode === "sign-up") await this.#session.register(this.#name.value.trim(), email, password);
      else await this.#session.login(email, password);
      this.#form.reset();
      this.#dialog.close();
    } catch (error) {
      this.#say(messageOf(error));
    } finally {
      this.#button.disabled = false;
    }
  }

  /** @param {string} words */
  #say(words) {
    find(this.#dialog, ".result", HTMLElement).textContent = words;
  }
}
