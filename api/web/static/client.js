// @ts-check
/**
 * A client for the live gateway: protocol "musclemap.v1" over WebSocket. No dependencies; any page may embed it.
 *
 *   const live = new LiveClient("wss://example.org/ws", { token: async (expired) => accessTokenOrNull });
 *   live.addEventListener("state", (e) => console.log(e.detail));
 *   const community = live.subscribe("community", {
 *     since: { epoch, offset },                     // a position from a GraphQL page; absent = from now on
 *     event: (event, offset) => draw(event),        // each event once, in offset order
 *     lost: () => loadThePageAgain(),               // the gateway no longer has what was missed; or, in place of both,
 *     state: async () => positionOf(await load()),  // loads what the app shows, and says as of where
 *   });
 *   live.setViewport({ west: -10, south: 35, east: 30, north: 60, zoom: 5 });
 *   live.setPresence({ lat: 52.5, lng: 13.4, status: "training" });
 *   live.start();
 *
 * Events, all CustomEvents with `detail`:
 *   state     {state: "connecting" | "open" | "waiting" | "stopped", retryInMs?, code?}
 *   welcome   the gateway's `welcome`
 *   status    {degraded}
 *   online    {users, training}
 *   presence  {user, state, last_seen}
 *   map       {resolution, cells: Map(cell -> count)}   the whole visible map, after each change
 *   error     {code, message}: an answer that belongs to no subscription
 *
 * It comes back by itself after every close that the protocol lets a client come back from, with full jitter (base
 * 1 s, cap 30 s) or after the time that the gateway asked for. After a terminal close it stays "stopped" until
 * start() is called again, which waits like any other way back: a token that is refused for ever is no flood.
 * Nothing here reads the device's clock: it may be hours off, or be set at any moment.
 */
import { backoffMs } from "./backoff.js";
import { CLOSE_ABNORMAL, CLOSE_NORMAL, CLOSE_TOKEN_EXPIRED, mayReturn } from "./closes.js";
import { MapTiles } from "./maptiles.js";
import { Subscription } from "./subscription.js";
import { Timers } from "./timers.js";

export { mayReturn };
export const SUBPROTOCOL = "musclemap.v1";

const CONNECT_TIMEOUT_MS = 15_000; // from opening the socket to `welcome`
const ACK_TIMEOUT_MS = 10_000; // a heartbeat without its answer: the network is gone, whatever the socket says
const HEARTBEAT_EVERY_MS_MIN = 250; // between heartbeats that a change of presence causes
const VIEWPORT_EVERY_MS_MIN = 250;
const PROOF_MS = 3_000; // an open socket that is doubted answers within this, or is given up
const STABLE_MS = 10_000; // a connection that stood this long has succeeded: the next way back begins anew
const REFRESH_BEFORE_MS = 300_000; // ask for a longer life this long before the socket's end ...
const REFRESH_EVERY_MS_MIN = 60_000; // ... but never more often than this
const TIMER_MS_MAX = 2 ** 31 - 1;

/**
 * @typedef {import("./protocol.js").Message} Message
 * @typedef {"connecting" | "open" | "waiting" | "stopped"} State
 * @typedef {{state: State, retryInMs?: number, code?: number}} StateChange
 * @typedef {new (url: string, protocols: string[]) => WebSocket} SocketClass
 */

export class LiveClient extends EventTarget {
  #url;
  #token;
  #WebSocket;
  /** @type {WebSocket | null} */
  #socket = null;
  /** @type {State} */
  #state = "stopped";
  #attempt = 0;
  #generation = 0; // of the socket; whatever belongs to an older one is ignored
  #tokenExpired = false;
  /** @type {string | null} */
  #resume = null;
  /** @type {number | null} */
  #returnAfterMs = null;
  #refused = false; // the last close was terminal: nobody may hurry it
  #nextId = 1;
  /** @type {Map<number, (answer: Message) => void>} by the id of a message, what to do with its answer */
  #waiting = new Map();
  /** @type {Map<string, Subscription>} by channel */
  #subscriptions = new Map();
  #tiles = new MapTiles();
  /** @type {import("./protocol.js").Viewport | null} */
  #viewport = null;
  /** @type {import("./protocol.js").PresenceChanges} */
  #presence = {};
  #placeSent = false;
  #heartbeatMs = 30_000;
  #timers = new Timers();

  /**
   * @param {string | (() => Promise<string>)} url address of the gateway, or what finds it, before each connection
   * @param {object} [options]
   * @param {(expired: boolean) => Promise<string|null>} [options.token] gives an access token, or null for an
   *   anonymous connection; `expired` says that the last one was refused as expired
   * @param {SocketClass} [options.WebSocket] another implementation, where there is none built in
   */
  constructor(url, { token = async () => null, WebSocket = globalThis.WebSocket } = {}) {
    super();
    this.#url = url;
    this.#token = token;
    this.#WebSocket = WebSocket;
  }

  get state() {
    return this.#state;
  }

  /** Connects, and stays connected: at once, or after a terminal close as late as any way back. While it runs: nothing. */
  start() {
    if (this.#state !== "stopped") return;
    if (this.#attempt) this.#comeBack();
    else this.#open();
  }

  /** Ends the connection. With `leave` presence ends at once and not after the grace of a reload. */
  stop({ leave = false } = {}) {
    if (leave) this.#send({ type: "leave" });
    this.#drop(CLOSE_NORMAL);
    this.#resume = null;
    this.#attempt = 0;
    this.#enter("stopped");
  }

  /** A new identity (after sign in or out): the next connection asks for a token again. */
  restart() {
    this.stop({ leave: true });
    this.start();
  }

  /**
   * The network has changed, or the page is looked at again: connects now where it is waiting to, and has a socket
   * prove within 3 s that it still reaches the gateway.
   */
  hurry() {
    if (this.#state === "waiting" && this.#returnAfterMs === null && !this.#refused) this.#open();
    else if (this.#state === "open") this.#prove();
    else if (this.#timers.has("deadline")) this.#timers.set("deadline", PROOF_MS, () => this.#lost());
  }

  /**
   * Follows a channel until `unsubscribe()` of the answer, across reconnects. A second call for the same channel
   * replaces the first. `token(expired)` gives the channel token where the channel needs one.
   * @param {string} channel
   * @param {import("./subscription.js").Handlers} [handlers]
   * @returns {Subscription}
   */
  subscribe(channel, handlers = {}) {
    const subscription = new Subscription(channel, handlers, {
      ask: (message, answered) => this.#ask(message, answered),
      forget: (one) => {
        if (this.#subscriptions.get(channel) === one) this.#subscriptions.delete(channel);
      },
    });
    this.#subscriptions.get(channel)?.end();
    this.#subscriptions.set(channel, subscription);
    if (this.#state === "open") subscription.join();
    return subscription;
  }

  /**
   * The part of the map that is looked at; null = none.
   * @param {import("./protocol.js").Viewport | null} viewport
   */
  setViewport(viewport) {
    this.#viewport = viewport;
    if (this.#state === "open") this.#timers.soon("viewport", VIEWPORT_EVERY_MS_MIN, () => this.#sendViewport());
  }

  /**
   * What the next heartbeats say: any of {lat, lng, cell, status, exercise, audience, background}. A place is sent
   * once per connection and when it changes; the gateway keeps it.
   * @param {import("./protocol.js").PresenceChanges} changes
   */
  setPresence(changes) {
    if ("lat" in changes || "cell" in changes) this.#placeSent = false;
    Object.assign(this.#presence, changes);
    if (this.#state === "open") this.#timers.soon("presence", HEARTBEAT_EVERY_MS_MIN, () => this.#heartbeat());
  }

  // --- one socket's life

  async #open() {
    this.#timers.clear("return");
    this.#enter("connecting");
    const generation = ++this.#generation;
    /** @type {{resume?: string, token?: string}} */
    const credentials = {};
    let url = "";
    try {
      url = typeof this.#url === "string" ? this.#url : await this.#url();
      if (generation !== this.#generation) return;
      if (this.#resume) credentials.resume = this.#resume;
      else {
        const token = await this.#token(this.#tokenExpired);
        if (token) credentials.token = token;
      }
    } catch {
      if (generation === this.#generation) this.#comeBack();
      return;
    }
    if (generation !== this.#generation) return;
    this.#tokenExpired = false;
    const socket = new this.#WebSocket(url, [SUBPROTOCOL]);
    this.#socket = socket;
    socket.onopen = () => {
      const background = this.#presence.background ? { background: true } : {};
      socket.send(JSON.stringify({ type: "connect", ...credentials, ...background }));
    };
    socket.onmessage = ({ data }) => {
      if (generation === this.#generation) this.#receive(JSON.parse(data));
    };
    socket.onclose = ({ code }) => {
      if (generation === this.#generation) this.#closed(code);
    };
    this.#timers.set("deadline", CONNECT_TIMEOUT_MS, () => this.#lost());
  }

  /** @param {number} code */
  #closed(code) {
    this.#drop();
    if (code === CLOSE_TOKEN_EXPIRED) this.#tokenExpired = true;
    if (code === CLOSE_TOKEN_EXPIRED || !mayReturn(code)) this.#resume = null;
    this.#refused = !mayReturn(code);
    if (!this.#refused) return this.#comeBack(code);
    this.#attempt += 1;
    return this.#enter("stopped", { code });
  }

  /** @param {number} [code] */
  #comeBack(code) {
    const retryInMs = this.#returnAfterMs ?? backoffMs(this.#attempt, Math.random());
    this.#attempt += 1;
    this.#enter("waiting", { retryInMs, code });
    this.#timers.set("return", retryInMs, () => {
      this.#returnAfterMs = null;
      this.#open();
    });
  }

  /** The other side is silent: no close frame will come, so it counts as closed abnormally. */
  #lost() {
    this.#drop(4000);
    this.#comeBack(CLOSE_ABNORMAL);
  }

  /** @param {number} [code] */
  #drop(code) {
    this.#generation += 1;
    this.#timers.clearAll();
    this.#waiting.clear();
    for (const subscription of this.#subscriptions.values()) subscription.disconnected();
    const socket = this.#socket;
    this.#socket = null;
    if (code && socket && socket.readyState <= 1) socket.close(code);
  }

  // --- what the gateway says

  /** @param {Message} message */
  #receive(message) {
    const id = Number(message.id);
    const answered = this.#waiting.get(id);
    if (answered) {
      this.#waiting.delete(id);
      answered(message);
      return undefined;
    }
    switch (message.type) {
      case "welcome":
        return this.#welcome(message);
      case "event":
      case "digest":
      case "gap":
      case "unsubscribed":
        return this.#subscriptions.get(message.channel)?.receive(message);
      case "map":
        if (this.#tiles.receive(message)) this.#timers.soon("draw", 0, () => this.#emit("map", this.#tiles.snapshot()));
        return undefined;
      case "pace":
        this.#heartbeatMs = message.heartbeat_s * 1_000;
        return this.#scheduleHeartbeat();
      case "refreshed":
        return this.#scheduleRefresh(message.expires_in_s);
      case "reconnect":
        this.#returnAfterMs = message.after_ms;
        return undefined;
      case "status":
      case "online":
      case "presence":
      case "error":
        return this.#emit(message.type, message);
      default:
        return undefined; // a newer gateway may say more
    }
  }

  /** @param {import("./protocol.js").Welcome} message */
  #welcome(message) {
    this.#timers.clear("deadline");
    this.#timers.set("stable", STABLE_MS, () => (this.#attempt = 0));
    this.#refused = false;
    this.#returnAfterMs = null;
    this.#resume = message.resume ?? null;
    this.#heartbeatMs = message.heartbeat_s * 1_000;
    this.#placeSent = false;
    this.#enter("open");
    this.#emit("welcome", message);
    this.#emit("status", { degraded: message.degraded });
    this.#scheduleRefresh(message.expires_in_s);
    for (const subscription of this.#subscriptions.values()) subscription.join();
    this.#sendViewport();
    this.#heartbeat();
  }

  // --- what the client says

  /** @param {import("./protocol.js").Question} message */
  #send(message) {
    if (this.#socket?.readyState === 1 && this.#state === "open") this.#socket.send(JSON.stringify(message));
  }

  /**
   * @param {import("./protocol.js").Question} message
   * @param {(answer: Message) => void} answered
   */
  #ask(message, answered) {
    const id = this.#nextId++;
    this.#waiting.set(id, answered);
    this.#send({ ...message, id });
  }

  #heartbeat() {
    if (this.#state !== "open") return;
    const { lat, lng, cell, ...rest } = this.#presence;
    const place = this.#placeSent ? {} : cell ? { cell } : lat === undefined ? {} : { lat, lng };
    this.#placeSent = true;
    this.#timers.set("ack", ACK_TIMEOUT_MS, () => this.#lost());
    this.#ask({ type: "heartbeat", ...rest, ...place }, (answer) => {
      this.#timers.clear("ack");
      if (answer.type === "error") this.#emit("error", answer);
    });
    this.#scheduleHeartbeat();
  }

  #prove() {
    if (this.#timers.has("proof")) return;
    this.#timers.set("proof", PROOF_MS, () => this.#lost());
    this.#ask({ type: "ping" }, () => this.#timers.clear("proof"));
  }

  #scheduleHeartbeat() {
    this.#timers.set("heartbeat", this.#heartbeatMs, () => this.#heartbeat());
  }

  #sendViewport() {
    if (!this.#viewport || this.#state !== "open") return;
    this.#ask({ type: "viewport", ...this.#viewport }, (answer) => {
      if (answer.type === "viewport") this.#tiles.show(answer.resolution, answer.tiles);
      else if (answer.type === "error" && answer.retry_after_ms) this.#timers.soon("viewport", answer.retry_after_ms, () => this.#sendViewport());
      else this.#emit("error", answer);
    });
  }

  /** @param {number | undefined} expiresInS */
  #scheduleRefresh(expiresInS) {
    if (expiresInS === undefined) return; // an older gateway: its close 4001 brings a new token
    const inMs = Math.max(REFRESH_EVERY_MS_MIN, expiresInS * 1_000 - REFRESH_BEFORE_MS);
    this.#timers.set("refresh", Math.min(inMs, TIMER_MS_MAX), async () => {
      const generation = this.#generation;
      const token = await this.#token(true).catch(() => null);
      if (token && generation === this.#generation) this.#send({ type: "refresh", token });
    });
  }

  // --- small things

  /**
   * @param {State} state
   * @param {{retryInMs?: number, code?: number}} [detail]
   */
  #enter(state, detail = {}) {
    this.#state = state;
    this.#emit("state", { state, ...detail });
  }

  /**
   * @param {string} type
   * @param {object} detail
   */
  #emit(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}
