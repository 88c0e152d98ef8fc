// @ts-check
/** What every widget is: an element that shows another one in a shadow of its own, live, or says why it is not. */
import tokens from "../static/tokens.css";
import { SERVER, giveBack, lease } from "./connections.js";
import { wordsOf } from "./refusals.js";

const LOOK = `
  :host { display: block; position: relative; }
  :host([hidden]), [hidden] { display: none !important; }
  .refusal {
    margin: 0; padding: 0.7rem 0.9rem; border: 1px solid var(--bad); border-radius: var(--radius-small);
    background: var(--card); color: var(--ink); font: 400 var(--text-small) / 1.5 var(--sans); overflow-wrap: anywhere;
  }
  .refusal strong { display: block; color: var(--bad); }
`;
const SCHEME = /color-scheme: \w+;/g; // a widget is of the scheme of its page, and says none

export class Widget extends HTMLElement {
  static observedAttributes = ["token"];
  /** @type {import("./connections.js").Connection | null} */
  #connection = null;
  #refusal = document.createElement("p");
  #heard = () => this.#tell();

  /** What no two widgets of a connection may be. */
  get kind() {
    return this.localName;
  }

  connectedCallback() {
    if (!this.shadowRoot) this.#build(this.attachShadow({ mode: "open" }));
    this.#connect();
  }

  disconnectedCallback() {
    this.#disconnect();
  }

  attributeChangedCallback() {
    if (!this.#connection) return;
    this.#disconnect();
    this.#connect();
  }

  /**
   * Fills the shadow, once.
   * @param {ShadowRoot} _root
   */
  build(_root) {}

  /**
   * Shows what comes by this connection.
   * @param {import("./connections.js").Connection} _connection
   */
  attach(_connection) {}

  /** Shows nothing any more. */
  detach() {}

  /** @param {ShadowRoot} root */
  #build(root) {
    root.adoptedStyleSheets = [tokensOf(isLight(this)), sheetOf(LOOK)];
    this.#refusal.className = "refusal";
    this.#refusal.setAttribute("part", "refusal");
    this.#refusal.setAttribute("role", "alert");
    this.#refusal.hidden = true;
    root.append(this.#refusal);
    this.build(root);
  }

  #connect() {
    const token = this.getAttribute("token") || tokenOfThePage();
    this.#connection = lease(this.kind, token);
    this.#connection.addEventListener("refusal", this.#heard);
    this.#tell();
    this.attach(this.#connection);
  }

  #disconnect() {
    if (!this.#connection) return;
    this.detach();
    this.#connection.removeEventListener("refusal", this.#heard);
    giveBack(this.#connection, this.kind);
    this.#connection = null;
  }

  #tell() {
    const reason = this.#connection?.refusal ?? null;
    this.#refusal.hidden = reason === null;
    if (reason === null) return;
    const words = wordsOf(reason, location.origin, SERVER);
    const title = document.createElement("strong");
    title.textContent = "Not live.";
    this.#refusal.replaceChildren(title, words);
    this.dispatchEvent(new CustomEvent("refused", { detail: { reason, message: words } }));
  }
}

/**
 * A sheet that no policy of a page keeps out.
 * @param {string} text
 */
export function sheetOf(text) {
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(text);
  return sheet;
}

/** The page's own tokens, for the widget alone. @param {boolean} light */
function tokensOf(light) {
  return sheetOf(
    tokens
      .replaceAll(":root", ":host")
      .replace("(prefers-color-scheme: light)", light ? "all" : "not all")
      .replaceAll(SCHEME, ""),
  );
}

/** A token that one widget has is good for all of its page. */
function tokenOfThePage() {
  return document.querySelector("community-feed[token], presence-map[token]")?.getAttribute("token") || null;
}

/**
 * Whether the page is in a light scheme where this element stands.
 * @param {HTMLElement} element
 */
function isLight(element) {
  const probe = document.createElement("i");
  probe.style.color = "light-dark(#000, #fff)";
  element.shadowRoot?.append(probe);
  const colour = getComputedStyle(probe).color;
  probe.remove();
  return colour === "rgb(0, 0, 0)";
}
