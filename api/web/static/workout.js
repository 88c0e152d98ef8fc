// @ts-check
/** The form that logs a workout: several exercises, each as sets × repetitions × weight. */
import { EXERCISES, LOG_WORKOUT } from "./documents.js";
import { find } from "./dom.js";
import { lastKnown } from "./known.js";
import { isOpen } from "./outbox.js";
import { Picker } from "./picker.js";
import { randomUuid } from "./platform.js";
import { ApiError, messageOf } from "./session.js";
import { count, figure } from "./words.js";

const EXERCISES_MAX = 100;
const MUSCLES_SHOWN = 4;

/** @typedef {import("./documents.js").Logged} Logged */

export class WorkoutForm {
  #form;
  #session;
  #outbox;
  #logged;
  #rows;
  #template;
  #note;
  #performed;
  /** @type {import("./documents.js").Exercise[]} */
  #exercises = [];
  /** @type {WeakMap<Element, Picker>} of each row */
  #pickers = new WeakMap();
  /** @type {{input: object, key: string} | null} the last one, while nobody knows what became of it and nothing keeps it */
  #pending = null;

  /**
   * @param {HTMLFormElement} form
   * @param {import("./session.js").Session} session
   * @param {import("./outbox.js").Outbox} outbox
   * @param {(payload: Logged) => void} logged
   */
  constructor(form, session, outbox, logged) {
    this.#form = form;
    this.#session = session;
    this.#outbox = outbox;
    this.#logged = logged;
    this.#rows = find(form, ".exercises", HTMLElement);
    this.#template = find(form, "template", HTMLTemplateElement);
    this.#note = find(form, "[name=note]", HTMLInputElement);
    this.#performed = find(form, "[name=performed]", HTMLInputElement);
    find(form, ".add", HTMLElement).addEventListener("click", () => {
      if (this.#exercises.length) this.#add().querySelector("input")?.focus();
    });
    form.addEventListener("input", () => (this.#pending = null));
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#submit();
    });
  }

  /** Fetches what may be chosen; once. */
  async prepare() {
    if (this.#exercises.length) return;
    this.#exercises = (await lastKnown("exercises", () => this.#session.graphql(EXERCISES))).exercises;
    if (!this.#rows.children.length) this.#add();
  }

  /** Slug of the first exercise in the form: what somebody who trains now is doing. */
  get exercise() {
    return this.#chosen(this.#rows.children[0])?.slug;
  }

  /** The new row; where there are as many as may be, the last one. */
  #add() {
    const last = this.#rows.lastElementChild;
    if (last && this.#rows.children.length >= EXERCISES_MAX) return last;
    const row = document.importNode(find(this.#template.content, "fieldset", HTMLFieldSetElement), true);
    const field = find(row, "[name=exercise]", HTMLInputElement);
    this.#pickers.set(row, new Picker(field, find(row, "[role=listbox]", HTMLElement), this.#exercises));
    find(row, ".remove", HTMLElement).addEventListener("click", () => {
      row.remove();
      this.#pending = null;
      if (!this.#rows.children.length) this.#add();
    });
    this.#rows.append(row);
    return row;
  }

  /** @param {Element | undefined} row */
  #chosen(row) {
    return (row && this.#pickers.get(row)?.chosen) ?? null;
  }

  async #submit() {
    const button = find(this.#form, "button.primary", HTMLButtonElement);
    const result = find(this.#form, ".result", HTMLElement);
    // The same key for the same workout until its outcome is known: a retry can never log or charge it twice.
    this.#pending ??= { input: this.#input(), key: randomUuid() };
    const { input, key } = this.#pending;
    button.disabled = true;
    result.className = "result";
    result.textContent = "Saving…";
    const kept = await this.#outbox.keep(key, input);
    try {
      const { logWorkout } = await this.#session.graphql(LOG_WORKOUT, { input, key });
      this.#pending = null;
      await this.#outbox.drop(key);
      this.#succeeded(logWorkout, result);
    } catch (error) {
      if (kept || !isOpen(error)) this.#pending = null;
      if (kept && isOpen(error)) {
        await this.#outbox.leave(key);
        result.textContent = "Kept on this device. It is sent once, as soon as the server can be reached.";
        this.#clear();
      } else {
        await this.#outbox.drop(key);
        result.classList.add("bad");
        result.textContent = explain(error);
      }
    } finally {
      button.disabled = false;
    }
  }

  /**
   * @param {Logged} payload
   * @param {HTMLElement} result
   */
  #succeeded(payload, result) {
    result.classList.add("good");
    const price = payload.charged ? count(payload.charged, "credit") : "free";
    const words = document.createElement("p");
    words.textContent = `Logged: ${figure(payload.workout.totalTu)} training units, ${price}.`;
    result.replaceChildren(words, bars(payload.workout.muscles));
    this.#clear();
    this.#logged(payload);
  }

  #clear() {
    this.#rows.replaceChildren();
    this.#add();
    this.#note.value = "";
    this.#performed.value = "";
  }

  #input() {
    const anonymous = find(this.#form, "[name=anonymous]", HTMLInputElement).checked;
    const followers = find(this.#form, "[name=followers]", HTMLInputElement).checked;
    const visibility = [anonymous && "PUBLIC_ANON", followers && "PUBLIC_PROFILE"].filter(Boolean);
    const exercises = [...this.#rows.children].map((row) => {
      const [sets, reps, weight] = ["sets", "reps", "weight"].map(
        (name) => find(row, `[name=${name}]`, HTMLInputElement).value,
      );
      const set = { reps: Number(reps), ...(weight !== "" && { weightKg: Number(weight) }) };
      return { exerciseId: this.#chosen(row)?.id ?? "", sets: Array(Number(sets)).fill(set) };
    });
    return {
      performedAt: (this.#performed.value ? new Date(this.#performed.value) : new Date()).toISOString(),
      note: this.#note.value.trim() || null,
      visibility: visibility.length ? visibility : ["PRIVATE"],
      exercises,
    };
  }
}

/** @param {import("./documents.js").MuscleUnits[]} muscles */
function bars(muscles) {
  const list = document.createElement("ul");
  list.className = "bars";
  const most = [...muscles].sort((a, b) => b.trainingUnits - a.trainingUnits).slice(0, MUSCLES_SHOWN);
  for (const { muscle, trainingUnits } of most) {
    const item = document.createElement("li");
    const meter = document.createElement("meter");
    meter.max = most[0].trainingUnits;
    meter.value = trainingUnits;
    meter.ariaHidden = "true";
    const name = document.createElement("span");
    name.textContent = muscle.name;
    const value = document.createElement("span");
    value.textContent = figure(trainingUnits);
    item.append(name, meter, value);
    list.append(item);
  }
  return list;
}

/** @param {unknown} error */
function explain(error) {
  if (error instanceof ApiError && error.code === "INSUFFICIENT_CREDITS") {
    return "You do not have enough credits for this workout.";
  }
  const message = messageOf(error);
  return isOpen(error) ? `${message} Save again: it will not be logged twice.` : message;
}
