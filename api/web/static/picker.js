// @ts-check
/**
 * A field in which one searches by typing and chooses of what is found: the combobox of WAI-ARIA, with a list box.
 *
 *   const picker = new Picker(input, list, choices);   picker.chosen → one of the choices, or null
 *
 * The input emits "change" when another one is chosen, and is invalid as long as its words are none of them.
 */

/** @typedef {{id: string, slug: string, name: string, equipment: {name: string} | null}} Choice */

const SHOWN_MAX = 60;
let made = 0; // ids of options are of the whole document

export class Picker {
  #input;
  #list;
  #choices;
  /** @type {Choice[]} */
  #found = [];
  #active = -1;
  /** @type {Choice | null} */
  #chosen = null;
  #id = `picker-${(made += 1)}`;

  /**
   * @param {HTMLInputElement} input
   * @param {HTMLElement} list
   * @param {Choice[]} choices
   */
  constructor(input, list, choices) {
    this.#input = input;
    this.#list = list;
    this.#choices = choices;
    list.id = this.#id;
    input.setAttribute("aria-controls", this.#id);
    input.addEventListener("input", () => this.#typed());
    input.addEventListener("focus", () => input.select());
    input.addEventListener("click", () => this.#open());
    input.addEventListener("keydown", (event) => this.#key(event));
    input.addEventListener("blur", () => this.#close());
    // The field keeps the focus; a click on an option is no way out of it.
    list.addEventListener("pointerdown", (event) => event.preventDefault());
    list.addEventListener("click", (event) => this.#clicked(event));
    this.#judge();
  }

  get chosen() {
    return this.#chosen;
  }

  #typed() {
    const words = plain(this.#input.value);
    this.#take(this.#choices.find(({ name }) => plain(name) === words) ?? null);
    this.#open();
  }

  #open() {
    // What is chosen is no search: who opens the list again wants another.
    this.#found = matching(this.#choices, this.#chosen ? "" : this.#input.value).slice(0, SHOWN_MAX);
    const options = this.#found.map((choice, index) => option(choice, `${this.#id}-${index}`));
    this.#list.replaceChildren(...(options.length ? options : [nothing()]));
    this.#list.hidden = false;
    this.#input.setAttribute("aria-expanded", "true");
    this.#point(this.#chosen ? this.#found.indexOf(this.#chosen) : -1);
  }

  #close() {
    this.#list.hidden = true;
    this.#input.setAttribute("aria-expanded", "false");
    this.#input.removeAttribute("aria-activedescendant");
  }

  /** @param {number} index */
  #point(index) {
    this.#active = index;
    for (const [at, one] of [...this.#list.children].entries()) one.setAttribute("aria-selected", String(at === index));
    const active = index < 0 ? null : this.#list.children[index];
    if (active) this.#input.setAttribute("aria-activedescendant", active.id);
    else this.#input.removeAttribute("aria-activedescendant");
    active?.scrollIntoView({ block: "nearest" });
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    const count = this.#found.length;
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      if (this.#list.hidden) this.#open();
      else if (count) this.#point((this.#active + (event.key === "ArrowDown" ? 1 : -1) + count) % count);
    } else if (event.key === "Enter" && !this.#list.hidden && count && !this.#chosen) {
      event.preventDefault(); // the form is sent by the next one
      this.#choose(this.#found[Math.max(this.#active, 0)]);
    } else if (event.key === "Enter" && !this.#list.hidden && this.#active >= 0) {
      event.preventDefault();
      this.#choose(this.#found[this.#active]);
    } else if (event.key === "Escape" && !this.#list.hidden) {
      event.stopPropagation();
      this.#close();
    }
  }

  /** @param {Event} event */
  #clicked({ target }) {
    const index = [...this.#list.children].indexOf(
      /** @type {Element} */ (target instanceof Element && target.closest("li")),
    );
    if (this.#found[index]) this.#choose(this.#found[index]);
  }

  /** @param {Choice} choice */
  #choose(choice) {
    this.#input.value = choice.name;
    this.#take(choice);
    this.#close();
  }

  /** @param {Choice | null} choice */
  #take(choice) {
    const before = this.#chosen;
    this.#chosen = choice;
    this.#judge();
    if (choice !== before) this.#input.dispatchEvent(new Event("change", { bubbles: true }));
  }

  #judge() {
    this.#input.setCustomValidity(this.#chosen ? "" : "Choose an exercise of the list.");
  }
}

/**
 * Those of which each typed word begins a word of name or equipment; by where the name begins so first.
 * @param {Choice[]} choices
 * @param {string} typed
 */
export function matching(choices, typed) {
  const words = plain(typed).split(" ").filter(Boolean);
  const found = choices.filter((choice) => {
    const all = ` ${plain(`${choice.name} ${choice.equipment?.name ?? ""}`)}`;
    return words.every((word) => all.includes(` ${word}`));
  });
  const first = words[0] ?? "";
  const early = (/** @type {Choice} */ { name }) => Number(!plain(name).startsWith(first));
  return found.sort((a, b) => early(a) - early(b) || (a.name < b.name ? -1 : 1));
}

/** @param {string} words  as they are compared: letters and figures in lower case, one space between */
function plain(words) {
  const bare = words.toLowerCase().normalize("NFD").replace(/\p{M}/gu, "");
  return bare.replace(/[^\p{L}\p{N}]+/gu, " ").trim();
}

/**
 * @param {Choice} choice
 * @param {string} id
 */
function option({ name, equipment }, id) {
  const item = document.createElement("li");
  item.id = id;
  item.setAttribute("role", "option");
  item.textContent = name;
  if (equipment) {
    const with_ = document.createElement("span");
    with_.textContent = ` ${equipment.name}`;
    item.append(with_);
  }
  return item;
}

function nothing() {
  const item = document.createElement("li");
  item.className = "hint";
  item.setAttribute("role", "option");
  item.setAttribute("aria-disabled", "true");
  item.textContent = "No exercise of that name. Try fewer letters, or the equipment.";
  return item;
}
