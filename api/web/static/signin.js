// @ts-check
/** The dialog that signs up and in, and gives a new password; and what the links of mails open. */
import { find } from "./dom.js";
import { keepsData } from "./platform.js";
import { messageOf } from "./session.js";

/** @type {Record<string, {title: string, button: string, question: string, other: string, password: AutoFill, fields: string[]}>} */
const WORDS = {
  "sign-in": {
    title: "Sign in",
    button: "Sign in",
    question: "New here?",
    other: "Create an account",
    password: "current-password",
    fields: ["email", "password"],
  },
  "sign-up": {
    title: "Create an account",
    button: "Create an account",
    question: "Have an account?",
    other: "Sign in",
    password: "new-password",
    fields: ["name", "email", "password"],
  },
  forgot: {
    title: "Forgot your password?",
    button: "Send me a link",
    question: "You know it?",
    other: "Sign in",
    password: "off",
    fields: ["email"],
  },
  reset: {
    title: "Choose a new password",
    button: "Set the password",
    question: "You know it?",
    other: "Sign in",
    password: "new-password",
    fields: ["password"],
  },
};
const LINK = /^#(verify|reset)=([\w-]{43})$/;

/** @typedef {"sign-in" | "sign-up" | "forgot" | "reset"} Mode */

export class SignIn {
  #dialog;
  #form;
  #button;
  #session;
  /** @type {Mode} */
  #mode = "sign-in";
  #token = ""; // of the link that was opened

  /**
   * @param {HTMLDialogElement} dialog
   * @param {import("./session.js").Session} session
   */
  constructor(dialog, session) {
    this.#dialog = dialog;
    this.#session = session;
    this.#form = find(dialog, "form", HTMLFormElement);
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
    find(dialog, "#forgot", HTMLElement).addEventListener("click", () => this.#show("forgot"));
  }

  /** Opens what the address of the page says, where it is the link of a mail; and takes the token out of the address. */
  async openLink() {
    const [, kind, token] = LINK.exec(location.hash) ?? [];
    if (!token) return;
    history.replaceState(null, "", location.pathname);
    this.#token = token;
    this.open(kind === "reset" ? "reset" : "sign-in");
    if (kind === "reset") return;
    try {
      await this.#session.verify(token);
      this.#say("Your address is confirmed. You can sign in now.");
    } catch (error) {
      this.#refuse(messageOf(error));
    }
  }

  /** @param {Mode} mode */
  open(mode) {
    this.#show(mode);
    if (!this.#dialog.open) this.#dialog.showModal();
  }

  /** @param {Mode} mode */
  #show(mode) {
    this.#mode = mode;
    const words = WORDS[mode];
    find(this.#dialog, "h2", HTMLElement).textContent = words.title;
    this.#button.textContent = words.button;
    find(this.#dialog, "#other-question", HTMLElement).textContent = words.question;
    find(this.#dialog, "#other-mode", HTMLElement).textContent = words.other;
    find(this.#dialog, "#forgot", HTMLElement).hidden = mode !== "sign-in";
    for (const name of ["name", "email", "password"]) {
      const shown = words.fields.includes(name);
      find(this.#dialog, `#${name}-field`, HTMLElement).hidden = !shown;
      this.#field(name).required = shown;
    }
    this.#field("password").autocomplete = words.password;
    this.#say("");
  }

  async #submit() {
    this.#button.disabled = true;
    this.#say("");
    try {
      await this.#send();
    } catch (error) {
      this.#refuse(messageOf(error));
    } finally {
      this.#button.disabled = false;
    }
  }

  async #send() {
    const [name, email, password] = ["name", "email", "password"].map((field) => this.#field(field).value);
    if (this.#mode === "forgot") {
      await this.#session.forgot(email);
      this.#say("Look into your mail: if the address has an account, a link is on its way.");
    } else if (this.#mode === "reset") {
      await this.#session.reset(this.#token, password);
      this.#form.reset();
      this.#show("sign-in");
      this.#say("Your password is changed. You can sign in with it now.");
    } else if (this.#mode === "sign-up" && !(await this.#session.register(name.trim(), email, password))) {
      this.#say("Look into your mail: the link in it opens your account.");
    } else {
      if (this.#mode === "sign-in") await this.#session.login(email, password);
      this.#form.reset();
      this.#dialog.close();
    }
  }

  /** @param {string} name */
  #field(name) {
    return find(this.#dialog, `[name=${name}]`, HTMLInputElement);
  }

  /** @param {string} words */
  #say(words) {
    find(this.#dialog, ".said", HTMLElement).textContent = words;
    find(this.#dialog, ".result", HTMLElement).textContent = "";
  }

  /** @param {string} words */
  #refuse(words) {
    find(this.#dialog, ".result", HTMLElement).textContent = words;
  }
}
