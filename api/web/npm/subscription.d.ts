export type Position = import("./protocol.js").Position;
export type FeedEvent = import("./protocol.js").FeedEvent;
export type Digest = import("./protocol.js").Digest;
export type Message = import("./protocol.js").Message;
export type Handlers = {
    /**
     * hand on everything after this position
     */
    since?: Position;
    event?: (event: FeedEvent, offset: number) => void;
    /**
     * events that were not sent one by one
     */
    digest?: (digest: Digest) => void;
    /**
     * the channel is live; nothing was missed
     */
    joined?: (position: Position) => void;
    /**
     * events were missed for good; live ones follow `position`
     */
    lost?: (position: Position) => void;
    /**
     * shows the app's state of the channel anew and says as
     * of which position: asked first where there is no `since`, and, in place of `lost`, when the gateway no longer has what
     * was missed since `lost`. What follows that position is handed on; where it fails, it is asked again
     */
    state?: (lost: Position | null) => Promise<Position>;
    /**
     * the channel may not be joined (any more)
     */
    refused?: (code: string | undefined) => void;
    /**
     * the channel token, where one is needed
     */
    token?: (expired: boolean) => Promise<string>;
};
export type Wire = {
    ask: (question: import("./protocol.js").Question, answered: (answer: Message) => void) => void;
    forget: (one: Subscription) => void;
};
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
export declare class Subscription {
    #private;
    channel: string;
    /**
     * @param {string} channel
     * @param {Handlers} handlers
     * @param {Wire} wire
     */
    constructor(channel: string, handlers: Handlers, wire: Wire);
    /** {epoch, offset} of the last event that was handed on; null before the first answer. */
    get position(): {
        epoch: string;
        offset: number;
    } | null;
    /** Leaves the channel for good. */
    unsubscribe(): void;
    /** Asks for the channel from the position. The client calls it at each welcome. */
    join(): Promise<void>;
    /**
     * What the gateway says about this channel without being asked.
     * @param {import("./protocol.js").OfChannel} message
     */
    receive(message: import("./protocol.js").OfChannel): void;
    /** The connection is gone; the position stays. */
    disconnected(): void;
    /** Hands on nothing any more. */
    end(): void;
}
