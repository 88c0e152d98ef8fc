/** The dialog that signs up and in. */
import { keepsData } from "./platform.js";

const WORDS = {
  "sign-in": { title: "Sign in", question: "New here?", other: "Create an account", password: "current-password" },
  "sign-up": { title: "Create an account", question: "Have an account?", other: "Sign in", password: "new-password" },
};

export class SignIn {
  #dialog;
  #form;
  #session;
  #mode = "sign-in";

  constructor(dialog, session) {
    this.#dialog = dialog;
    this.#session = session;
    this.#form = dialog.querySelector("form");
    dialog.querySelector("#not-kept").hidden = keepsData;
    this.#form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#submit();
    });
    dialog.querySelector(".close").addEventListener("click", () => dialog.close());
    dialog.querySelector("#other-mode").addEventListener("click", () => {
      this.#show(this.#mode === "sign-in" ? "sign-up" : "sign-in");
    });
  }

  /** `mode`: "sign-in" or "sign-up". */
  open(mode) {
    this.#show(mode);
    this.#dialog.showModal();
  }

  #show(mode) {
    this.#mode = mode;
    const words = WORDS[mode];
    const { name, password } = this.#form.elements;
    this.#dialog.querySelector("h2").textContent = words.title;
    this.#dialog.querySelector("button.primary").textContent = words.title;
    this.#dialog.querySelector("#other-question").textContent = words.question;
    this.#dialog.querySelector("#other-mode").textContent = words.other;
    this.#dialog.querySelector("#name-field").hidden = mode === "sign-in";
    name.required = mode === "sign-up";
    password.autocomplete = words.password;
    this.#say("");
  }

  async #submit() {
    const { name, email, password } = this.#form.elements;
    const button = this.#dialog.querySelector("button.primary");
    button.disabled = true;
    this.#say("");
    try {
      if (this.#mode === "sign-up") await this.#session.register(name.value.trim(), email.value, password.value);
      else await this.#session.login(email.value, password.value);
      this.#form.reset();
      this.#dialog.close();
    } catch (error) {
      this.#say(error.message);
    } finally {
      button.disabled = false;
    }
  }

  #say(words) {
    this.#dialog.querySelector(".result").textContent = words;
  }
}
