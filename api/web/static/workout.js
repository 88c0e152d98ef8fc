/** The form that logs a workout: several exercises, each as sets × repetitions × weight. */
import { EXERCISES, LOG_WORKOUT } from "./documents.js";
import { randomUuid } from "./platform.js";
import { count, figure } from "./words.js";

const EXERCISES_MAX = 100;
const MUSCLES_SHOWN = 4;
const MAY_HAVE_HAPPENED = new Set(["NETWORK", "RETRY_LATER", "INTERNAL", "IDEMPOTENCY_IN_PROGRESS", "RATE_LIMITED"]);

export class WorkoutForm {
  #form;
  #session;
  #logged;
  #rows;
  #template;
  #options = null;
  #pending = null; // {input, key} of the last submission, while nobody knows whether it succeeded

  /**
   * @param {HTMLFormElement} form
   * @param {Session} session
   * @param {(payload: object) => void} logged
   */
  constructor(form, session, logged) {
    this.#form = form;
    this.#session = session;
    this.#logged = logged;
    this.#rows = form.querySelector(".exercises");
    this.#template = form.querySelector("template");
    form.querySelector(".add").addEventListener("click", () => this.#add().querySelector("select").focus());
    form.addEventListener("input", () => (this.#pending = null));
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#submit();
    });
  }

  /** Fills the list of exercises; once. */
  async prepare() {
    if (this.#options) return;
    const { exercises } = await this.#session.graphql(EXERCISES);
    this.#options = grouped(exercises);
    if (!this.#rows.children.length) this.#add();
  }

  /** Slug of the first exercise in the form: what somebody who trains now is doing. */
  get exercise() {
    return this.#rows.querySelector("select")?.selectedOptions[0]?.dataset.slug;
  }

  #add() {
    if (this.#rows.children.length >= EXERCISES_MAX) return this.#rows.lastElementChild;
    const row = this.#template.content.firstElementChild.cloneNode(true);
    row.querySelector("select").append(this.#options.cloneNode(true));
    row.querySelector(".remove").addEventListener("click", () => {
      row.remove();
      this.#pending = null;
      if (!this.#rows.children.length) this.#add();
    });
    this.#rows.append(row);
    return row;
  }

  async #submit() {
    const button = this.#form.querySelector("button.primary");
    const result = this.#form.querySelector(".result");
    // The same key for the same workout until its outcome is known: a retry can never log or charge it twice.
    this.#pending ??= { input: this.#input(), key: randomUuid() };
    button.disabled = true;
    result.className = "result";
    result.textContent = "Saving…";
    try {
      const { logWorkout } = await this.#session.graphql(LOG_WORKOUT, this.#pending);
      this.#pending = null;
      this.#succeeded(logWorkout, result);
    } catch (error) {
      if (!MAY_HAVE_HAPPENED.has(error.code)) this.#pending = null;
      result.classList.add("bad");
      result.textContent = explain(error);
    } finally {
      button.disabled = false;
    }
  }

  #succeeded(payload, result) {
    result.classList.add("good");
    const price = payload.charged ? count(payload.charged, "credit") : "free";
    const words = document.createElement("p");
    words.textContent = `Logged: ${figure(payload.workout.totalTu)} training units, ${price}.`;
    result.replaceChildren(words, bars(payload.workout.muscles));
    this.#rows.replaceChildren();
    this.#add();
    this.#form.elements.note.value = "";
    this.#form.elements.performed.value = "";
    this.#logged(payload);
  }

  #input() {
    const { performed, note, anonymous, followers } = this.#form.elements;
    const visibility = [anonymous.checked && "PUBLIC_ANON", followers.checked && "PUBLIC_PROFILE"].filter(Boolean);
    const exercises = [...this.#rows.children].map((row) => {
      const [sets, reps, weight] = ["sets", "reps", "weight"].map((name) => row.querySelector(`[name=${name}]`).value);
      const set = { reps: Number(reps), ...(weight !== "" && { weightKg: Number(weight) }) };
      return { exerciseId: row.querySelector("select").value, sets: Array(Number(sets)).fill(set) };
    });
    return {
      performedAt: (performed.value ? new Date(performed.value) : new Date()).toISOString(),
      note: note.value.trim() || null,
      visibility: visibility.length ? visibility : ["PRIVATE"],
      exercises,
    };
  }
}

/** <optgroup>s by equipment. */
function grouped(exercises) {
  const groups = new Map();
  for (const { id, slug, name, equipment } of exercises) {
    const label = equipment?.name ?? "Other";
    if (!groups.has(label)) {
      const group = document.createElement("optgroup");
      group.label = label;
      groups.set(label, group);
    }
    const option = new Option(name, id);
    option.dataset.slug = slug;
    groups.get(label).append(option);
  }
  const all = document.createDocumentFragment();
  all.append(...[...groups.keys()].sort().map((label) => groups.get(label)));
  return all;
}

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

function explain(error) {
  if (error.code === "INSUFFICIENT_CREDITS") return "You do not have enough credits for this workout.";
  if (MAY_HAVE_HAPPENED.has(error.code)) return `${error.message} Save again: it will not be logged twice.`;
  return error.message;
}
