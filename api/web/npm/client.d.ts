import { mayReturn } from "./closes.js";
import { Subscription } from "./subscription.js";
export { mayReturn };
export declare const SUBPROTOCOL = "musclemap.v1";
export type Message = import("./protocol.js").Message;
export type State = "connecting" | "open" | "waiting" | "stopped";
export type StateChange = {
    state: State;
    retryInMs?: number;
    code?: number;
};
export type SocketClass = new (url: string, protocols: string[]) => WebSocket;
/**
 * @typedef {import("./protocol.js").Message} Message
 * @typedef {"connecting" | "open" | "waiting" | "stopped"} State
 * @typedef {{state: State, retryInMs?: number, code?: number}} StateChange
 * @typedef {new (url: string, protocols: string[]) => WebSocket} SocketClass
 */
export declare class LiveClient extends EventTarget {
    #private;
    /**
     * @param {string | (() => Promise<string>)} url address of the gateway, or what finds it, before each connection
     * @param {object} [options]
     * @param {(expired: boolean) => Promise<string|null>} [options.token] gives an access token, or null for an
     *   anonymous connection; `expired` says that the last one was refused as expired
     * @param {SocketClass} [options.WebSocket] another implementation, where there is none built in
     */
    constructor(url: string | (() => Promise<string>), { token, WebSocket }?: {
        token?: (expired: boolean) => Promise<string | null>;
        WebSocket?: SocketClass;
    });
    get state(): State;
    /** Connects, and stays connected: at once, or after a terminal close as late as any way back. While it runs: nothing. */
    start(): void;
    /** Ends the connection. With `leave` presence ends at once and not after the grace of a reload. */
    stop({ leave }?: {
        leave?: boolean | undefined;
    }): void;
    /** A new identity (after sign in or out): the next connection asks for a token again. */
    restart(): void;
    /**
     * The network has changed, or the page is looked at again: connects now where it is waiting to, and has a socket
     * prove within 3 s that it still reaches the gateway.
     */
    hurry(): void;
    /**
     * Follows a channel until `unsubscribe()` of the answer, across reconnects. A second call for the same channel
     * replaces the first. `token(expired)` gives the channel token where the channel needs one.
     * @param {string} channel
     * @param {import("./subscription.js").Handlers} [handlers]
     * @returns {Subscription}
     */
    subscribe(channel: string, handlers?: import("./subscription.js").Handlers): Subscription;
    /**
     * The part of the map that is looked at; null = none.
     * @param {import("./protocol.js").Viewport | null} viewport
     */
    setViewport(viewport: import("./protocol.js").Viewport | null): void;
    /**
     * What the next heartbeats say: any of {lat, lng, cell, status, exercise, audience, background}. A place is sent
     * once per connection and when it changes; the gateway keeps it.
     * @param {import("./protocol.js").PresenceChanges} changes
     */
    setPresence(changes: import("./protocol.js").PresenceChanges): void;
}
