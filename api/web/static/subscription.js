// @ts-check
/**
 * One channel as a client follows it: every event once, in the order of its offset, across gaps and reconnects.
 *
 * A position is {epoch, offset} of the last event that was handed on. Offsets are dense, so what comes next is known:
 * an older offset is a repeat and is dropped, a later one means a hole, and the channel is asked for again from the
 * position.
 */
const RETRY_BASE_MS = 500;
const RETRY_CAP_MS = 15_000;
const STABLE_MS = 10_000; // live for this long: the next retry begins anew
const RETRIES = new Set(["UNAVAILABLE", "RATE_LIMITED"]);

/**
 * @typedef {import("./protocol.js").Position} Position
 * @typedef {import("./protocol.js").FeedEvent} FeedEvent
 * @typedef {import("./protocol.js").Digest} Digest
 * @typedef {import("./protocol.js").Message} Message
 *
 * @typedef {object} Handlers
 * @property {Position} [since] hand on everything after this position
 * @property {(event: FeedEvent, offset: number) => void} [event]
 * @property {(digest: Digest) => void} [digest] events that were not sent one by one
 * @property {(position: Position) => void} [joined] the channel is live; nothing was missed
 * @property {(position: Position) => void} [lost] events were missed for good; live ones follow `position`
 * @property {(lost: Position | null) => Promise<Position>} [state] shows the app's state of the channel anew and says as
 *   of which position: asked first where there is no `since`, and, in place of `lost`, when the gateway no longer has what
 *   was missed since `lost`. What follows that position is handed on; where it fails, it is asked again
 * @property {(code: string | undefined) => void} [refused] the channel may not be joined (any more)
 * @property {(expired: boolean) => Promise<string>} [token] the channel token, where one is needed
 *
 * @typedef {object} Wire  the connection (LiveClient's)
 * @property {(question: import("./protocol.js").Question, answered: (answer: Message) => void) => void} ask
 * @property {(one: Subscription) => void} forget
 */

export class Subscription {
  #handlers;
  #wire;
  /** @type {"idle" | "joining" | "live" | "waiting" | "ended"} no connection; asked; …; to ask again; for good */
  #state = "idle";
  /** @type {Position | null} */
  #position;
  #attempt = 0;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer; // to ask again, or until the channel counts as stable
  #tokenExpired = false;
  #stale = false; // the app's state is to be loaded first
  #join = 0; // number of the last ask; an answer to an older one is ignored

  /**
   * @param {string} channel
   * @param {Handlers} handlers
   * @param {Wire} wire
   */
  constructor(channel, handlers, wire) {
    this.channel = channel;
    this.#handlers = handlers;
    this.#wire = wire;
    this.#position = handlers.since ? { ...handlers.since } : null;
    this.#stale = Boolean(handlers.state) && !handlers.since;
  }

  /** {epoch, offset} of the last event that was handed on; null before the first answer. */
  get position() {
    return this.#position && { ...this.#position };
  }

  /** Leaves the channel for good. */
  unsubscribe() {
    if (this.#state === "live" || this.#state === "joining") {
      this.#wire.ask({ type: "unsubscribe", channel: this.channel }, () => {});
    }
    this.end();
    this.#wire.forget(this);
  }

  /** Asks for the channel from the position. The client calls it at each welcome. */
  async join() {
    if (this.#state === "ended") return;
    this.#clear();
    this.#state = "joining";
    const join = ++this.#join;
    /** @type {import("./protocol.js").Question} */
    const message = { type: "subscribe", channel: this.channel };
    try {
      if (this.#stale && this.#handlers.state) await this.#load(this.#handlers.state, join);
      if (this.#handlers.token && this.#asks(join)) message.token = await this.#handlers.token(this.#tokenExpired);
    } catch {
      if (this.#asks(join)) this.#again();
      return;
    }
    if (!this.#asks(join)) return;
    if (this.#position) message.since = this.#position;
    this.#wire.ask(message, (answer) => {
      if (!this.#asks(join)) return;
      if (answer.type === "subscribed") this.#subscribed(answer);
      else if (answer.type !== "error") this.#refused(answer.type === "unsubscribed" ? answer.reason : undefined);
      else if (RETRIES.has(answer.code)) this.#again(answer.retry_after_ms);
      else this.#refused(answer.code);
    });
  }

  /**
   * What the gateway says about this channel without being asked.
   * @param {import("./protocol.js").OfChannel} message
   */
  receive(message) {
    if (this.#state === "ended" || this.#stale) return;
    if (message.type === "event") this.#event(message.event, message.offset);
    else if (message.type === "digest") this.#digest(message);
    else if (message.type === "gap") this.#again();
    else if (message.type === "unsubscribed") this.#unsubscribed(message.reason);
  }

  /** The connection is gone; the position stays. */
  disconnected() {
    this.#clear();
    if (this.#state !== "ended") this.#state = "idle";
  }

  /** Hands on nothing any more. */
  end() {
    this.#clear();
    this.#state = "ended";
  }

  /**
   * Whether this ask is still the newest one.
   * @param {number} join
   */
  #asks(join) {
    return join === this.#join && this.#state === "joining";
  }

  /**
   * @param {(lost: Position | null) => Promise<Position>} state
   * @param {number} join
   */
  async #load(state, join) {
    const { epoch, offset } = await state(this.position);
    if (!this.#asks(join)) return;
    this.#position = { epoch, offset };
    this.#stale = false;
  }

  /** @param {import("./protocol.js").Subscribed} answer */
  #subscribed({ epoch, offset, recovered, events }) {
    this.#state = "live";
    this.#timer = setTimeout(() => (this.#attempt = 0), STABLE_MS);
    this.#tokenExpired = false;
    if (recovered === false && this.#handlers.state) {
      this.#stale = true;
      return this.#again();
    }
    if (recovered === false) {
      this.#position = { epoch, offset };
      this.#handlers.lost?.({ epoch, offset });
      return;
    }
    const position = (this.#position ??= { epoch, offset });
    for (const missed of events) this.#event(missed.event, missed.offset);
    // A handler may have left the channel meanwhile, and a hole (there must be none) has asked again by itself.
    if (this.#state === "live") this.#handlers.joined?.({ ...position });
  }

  /**
   * @param {FeedEvent} event
   * @param {number} offset
   */
  #event(event, offset) {
    if (!this.#position || offset <= this.#position.offset) return;
    if (offset === this.#position.offset + 1) {
      this.#position.offset = offset;
      this.#handlers.event?.(event, offset);
    } else if (this.#state === "live") this.#again();
  }

  /** @param {Digest} message */
  #digest(message) {
    if (!this.#position || message.to <= this.#position.offset) return;
    if (message.from <= this.#position.offset + 1) {
      this.#position.offset = message.to;
      this.#handlers.digest?.(message);
    } else if (this.#state === "live") this.#again();
  }

  /** @param {string | undefined} reason */
  #unsubscribed(reason) {
    if (reason === "token_expired" && this.#handlers.token) {
      this.#tokenExpired = true;
      this.#again();
    } else this.#refused(reason);
  }

  /** @param {string | undefined} code */
  #refused(code) {
    this.end();
    this.#wire.forget(this);
    this.#handlers.refused?.(code);
  }

  /**
   * Asks again after a moment: after `afterMs`, or with full jitter that grows while it does not help.
   * @param {number} [afterMs]
   */
  #again(afterMs) {
    this.#clear();
    this.#state = "waiting";
    const ms = afterMs ?? Math.random() * Math.min(RETRY_CAP_MS, RETRY_BASE_MS * 2 ** Math.min(this.#attempt, 8));
    this.#attempt += 1;
    this.#timer = setTimeout(() => this.join(), ms);
  }

  #clear() {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}
