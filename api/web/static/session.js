// @ts-check
/** Who is signed in on this page, and every HTTP call to the API. The access token lives in memory only. */
import { backoffMs } from "./backoff.js";
import { Note, exclusively } from "./platform.js";

export { messageOf } from "./words.js"; // of an error that is thrown here

// Whose refresh cookie is worth a request when the page is opened, {id, name}: without a network they are taken at it.
const HINT = new Note("musclemap.signed-in");
const RESTORE_MS = 3_000; // a page does not wait longer to hear who is signed in, where it knows who was
const ANSWER_MS = 60_000; // what is not answered within is not answered
const EARLY_MS = 30_000; // an access token this close to its end is replaced first

/**
 * @typedef {{id: string, name: string, email: string}} User
 * @typedef {{accessToken: string, expiresIn: number, user: User}} SignedIn
 */

/** An answer of the API that is an error, or none at all (code "NETWORK"). */
export class ApiError extends Error {
  /**
   * @param {string} code
   * @param {string} message
   * @param {number} [status]
   */
  constructor(code, message, status = 0) {
    super(message);
    this.code = code;
    this.status = status;
  }
}

/** Emits "change" whenever `user` has changed: {id, name, email}, or null. */
export class Session extends EventTarget {
  /** @type {User | null} */
  user = null;
  /** @type {string | null} */
  #accessToken = null;
  #expiresAt = 0; // of performance.now(): the device's clock may be wrong, or be set meanwhile
  /** @type {Promise<void> | null} */
  #refreshing = null;

  /**
   * Takes up the session of an earlier visit, where there seems to be one. While the server is away, whoever was signed
   * in last is taken to be still: they see nothing of theirs but what waits on this device, and prove it later.
   */
  async restore(attempt = 0) {
    if (this.#accessToken || !HINT.get()) return;
    const refreshed = this.#refresh().catch(() => {
      this.#assume();
      setTimeout(() => this.restore(attempt + 1), backoffMs(attempt, Math.random()));
    });
    const assumed = new Promise((resolve) => setTimeout(() => resolve(this.#assume()), RESTORE_MS));
    await Promise.race([refreshed, assumed]);
  }

  #assume() {
    const last = remembered();
    if (this.user || !last) return;
    this.user = last;
    this.dispatchEvent(new Event("change"));
  }

  /**
   * Whether the account is open; else a mail says how it opens.
   * @param {string} name
   * @param {string} email
   * @param {string} password
   */
  async register(name, email, password) {
    const { user } = await call("/api/v1/auth/register", { name, email, password });
    if (user) await this.login(email, password);
    return Boolean(user);
  }

  /** @param {string} token */
  async verify(token) {
    await call("/api/v1/auth/verify", { token });
  }

  /** @param {string} email */
  async forgot(email) {
    await call("/api/v1/auth/reset", { email });
  }

  /**
   * @param {string} token
   * @param {string} password
   */
  async reset(token, password) {
    await call("/api/v1/auth/reset/confirm", { token, password });
  }

  /**
   * @param {string} email
   * @param {string} password
   */
  async login(email, password) {
    this.#adopt(await call("/api/v1/auth/login", { email, password }));
  }

  async logout() {
    const token = this.#accessToken;
    this.#adopt(null);
    await call("/api/v1/auth/logout", {}, token).catch(() => {});
  }

  /** An access token that holds for a while; null when nobody is signed in. `expired`: the last one was refused. */
  async token(expired = false) {
    if (!this.user) return null;
    if (expired || performance.now() > this.#expiresAt - EARLY_MS) await this.#refresh();
    return this.#accessToken;
  }

  /**
   * Runs a GraphQL document and answers its data; throws ApiError. Whoever asks is who began to: where somebody else is
   * signed in by the time it is sent, it is not.
   * @template {object} T
   * @param {import("./documents.js").Document<T>} query
   * @param {object} [variables]
   * @param {string} [only]  the id of the user whose request this is
   * @returns {Promise<T>}
   */
  async graphql(query, variables = {}, only = this.user?.id) {
    const token = await this.#tokenOf(only);
    try {
      return await execute(query, variables, token);
    } catch (error) {
      if (!token || !(error instanceof ApiError) || error.code !== "UNAUTHENTICATED") throw error;
      return execute(query, variables, await this.#tokenOf(only, true));
    }
  }

  /**
   * @param {string | undefined} only
   * @param {boolean} [expired]
   */
  async #tokenOf(only, expired = false) {
    const token = await this.token(expired);
    if (only && this.user && this.user.id !== only) throw new ApiError("UNAUTHENTICATED", "Somebody else is signed in now.");
    return token;
  }

  /** One refresh at a time, also between tabs: they share the cookie, and it changes with each use. */
  #refresh() {
    this.#refreshing ??= exclusively("musclemap.refresh", async () => {
      try {
        this.#adopt(await call("/api/v1/auth/refresh", {}));
      } catch (error) {
        if (!(error instanceof ApiError) || error.status !== 401) throw error;
        this.#adopt(null);
      }
    }).finally(() => (this.#refreshing = null));
    return this.#refreshing;
  }

  /** @param {SignedIn | null} answer */
  #adopt(answer) {
    const before = this.user?.id;
    this.user = answer?.user ?? null;
    this.#accessToken = answer?.accessToken ?? null;
    this.#expiresAt = performance.now() + (answer?.expiresIn ?? 0) * 1_000;
    HINT.set(this.user && JSON.stringify({ id: this.user.id, name: this.user.name }));
    if (before !== this.user?.id) this.dispatchEvent(new Event("change"));
  }
}

/**
 * Who was signed in here last; null where nobody was, or a mark of an older page does not say.
 * @returns {User | null}
 */
function remembered() {
  try {
    const { id, name } = JSON.parse(HINT.get() ?? "");
    return id && name ? { id, name, email: "" } : null;
  } catch {
    return null;
  }
}

/**
 * @param {string} query
 * @param {object} variables
 * @param {string | null} token
 */
async function execute(query, variables, token) {
  const { data, errors } = await call("/api/graphql", { query, variables }, token);
  if (errors?.length) {
    const { code, statusCode } = errors[0].extensions ?? {};
    throw new ApiError(code ?? "INTERNAL", errors[0].message, statusCode);
  }
  return data;
}

/**
 * The JSON that the API answers, or {} where it has nothing to say; throws ApiError.
 * @param {string} path
 * @param {object} body
 * @param {string | null} [token]
 */
async function call(path, body, token = null) {
  let response;
  try {
    response = await fetch(path, {
      method: "POST",
      headers: { "Content-Type": "application/json", ...(token && { Authorization: `Bearer ${token}` }) },
      body: JSON.stringify(body),
      signal: AbortSignal.timeout(ANSWER_MS),
    });
  } catch {
    throw new ApiError("NETWORK", "The server cannot be reached. Try again in a moment.");
  }
  const answer = response.status === 204 ? {} : await response.json().catch(() => null);
  if (response.ok && answer) return answer;
  const error = answer?.error ?? answer?.errors?.[0]?.extensions;
  const message = error?.message ?? answer?.errors?.[0]?.message ?? "The server has a problem. Try again in a moment.";
  throw new ApiError(error?.code ?? "INTERNAL", message, response.status);
}
