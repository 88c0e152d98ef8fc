export type Position = {
    epoch: string;
    offset: number;
};
export type Actor = {
    id: string;
    name: string;
} | null;
export type Named = {
    name?: string;
    slug?: string;
} | null;
export type EventData = {
    v?: number;
    focus?: Named;
    exercise_count?: number | null;
    total_tu?: number | null;
    exercises?: Named[];
    level?: number;
    kind?: string;
    value?: number;
    exercise?: string;
    challenge?: Named;
    reward_xp?: number;
    event_id?: string;
    event_type?: string;
    credits?: number;
};
export type FeedEvent = {
    id: string;
    type: string;
    created_at: string;
    actor: Actor;
    data: EventData | null;
    /**
     * the API tells it, the gateway does not
     */
    highFives?: number;
    highFived?: boolean;
    /**
     * of the API's pages
     */
    cursor?: string;
    /**
     * when it came here, if it came live
     */
    heardAt?: number;
    /**
     * when its high fives were told last, by the page's own clock
     */
    countedAt?: number;
};
export type Row = {
    offset: number;
    event: FeedEvent;
};
export type Welcome = {
    type: "welcome";
    session: string;
    user: string | null;
    heartbeat_s: number;
    ttl_s: number;
    expires_at: string;
    /**
     * an older gateway does not say it
     */
    expires_in_s?: number;
    resume?: string;
    degraded: boolean;
};
export type Digest = {
    type: "digest";
    channel: string;
    from: number;
    to: number;
    counts: Record<string, number>;
    events?: Row[];
};
export type MapChange = {
    type: "map";
    tile: string;
    version: number;
    whole: boolean;
    resolution: number;
    cells: [cell: string, people: number][];
};
export type Subscribed = {
    type: "subscribed";
    channel: string;
    epoch: string;
    offset: number;
    recovered: boolean | null;
    events: Row[];
};
export type Refusal = {
    type: "error";
    code: string;
    message: string;
    retry_after_ms?: number;
};
export type Unsubscribed = {
    type: "unsubscribed";
    channel: string;
    reason?: string;
};
export type Tiles = {
    type: "viewport";
    resolution: number;
    tiles: string[];
};
export type Event = {
    type: "event";
    channel: string;
    offset: number;
    event: FeedEvent;
};
export type Gap = {
    type: "gap";
    channel: string;
};
export type Online = {
    type: "online";
    users: number;
    training: number;
};
export type Presence = {
    type: "presence";
    user: string;
    state: "online" | "training" | "offline";
    last_seen: string;
};
export type Pace = {
    type: "pace";
    heartbeat_s: number;
    ttl_s: number;
};
export type Status = {
    type: "status";
    degraded: boolean;
};
export type Refreshed = {
    type: "refreshed";
    expires_at: string;
    expires_in_s?: number;
};
export type Reconnect = {
    type: "reconnect";
    after_ms: number;
    reason: string;
};
export type OfChannel = Event | Digest | Gap | Unsubscribed;
export type Answer = Welcome | Subscribed | Tiles | Refreshed | {
    type: "ack" | "pong";
} | Refusal;
export type Told = Online | Presence | Pace | Status | Reconnect | MapChange;
export type Message = (OfChannel | Answer | Told) & {
    id?: number | string;
};
export type Viewport = {
    west: number;
    south: number;
    east: number;
    north: number;
    zoom: number;
};
export type PresenceChanges = {
    lat?: number;
    lng?: number;
    cell?: string;
    status?: "browsing" | "training" | "resting";
    exercise?: string;
    audience?: string;
    background?: boolean;
};
export type Question = {
    type: string;
    [field: string]: unknown;
};
/**
 * The gateway's messages as types (rt/wire/asyncapi.yaml says what they mean). There is nothing to run here.
 *
 * @typedef {{epoch: string, offset: number}} Position
 * @typedef {{id: string, name: string} | null} Actor
 * @typedef {{name?: string, slug?: string} | null} Named
 *
 * @typedef {object} EventData  `data` of an event, of any type and version: all of it may be missing
 * @property {number} [v]
 * @property {Named} [focus]
 * @property {number | null} [exercise_count]
 * @property {number | null} [total_tu]
 * @property {Named[]} [exercises]
 * @property {number} [level]
 * @property {string} [kind]
 * @property {number} [value]
 * @property {string} [exercise]
 * @property {Named} [challenge]
 * @property {number} [reward_xp]
 * @property {string} [event_id]
 * @property {string} [event_type]
 * @property {number} [credits]
 *
 * @typedef {object} FeedEvent
 * @property {string} id
 * @property {string} type
 * @property {string} created_at
 * @property {Actor} actor
 * @property {EventData | null} data
 * @property {number} [highFives]  the API tells it, the gateway does not
 * @property {boolean} [highFived]
 * @property {string} [cursor]  of the API's pages
 * @property {number} [heardAt]  when it came here, if it came live
 * @property {number} [countedAt]  when its high fives were told last, by the page's own clock
 *
 * @typedef {{offset: number, event: FeedEvent}} Row
 *
 * @typedef {object} Welcome
 * @property {"welcome"} type
 * @property {string} session
 * @property {string | null} user
 * @property {number} heartbeat_s
 * @property {number} ttl_s
 * @property {string} expires_at
 * @property {number} [expires_in_s]  an older gateway does not say it
 * @property {string} [resume]
 * @property {boolean} degraded
 *
 * @typedef {object} Digest
 * @property {"digest"} type
 * @property {string} channel
 * @property {number} from
 * @property {number} to
 * @property {Record<string, number>} counts
 * @property {Row[]} [events]
 *
 * @typedef {object} MapChange
 * @property {"map"} type
 * @property {string} tile
 * @property {number} version
 * @property {boolean} whole
 * @property {number} resolution
 * @property {[cell: string, people: number][]} cells
 *
 * @typedef {object} Subscribed
 * @property {"subscribed"} type
 * @property {string} channel
 * @property {string} epoch
 * @property {number} offset
 * @property {boolean | null} recovered
 * @property {Row[]} events
 *
 * @typedef {{type: "error", code: string, message: string, retry_after_ms?: number}} Refusal
 * @typedef {{type: "unsubscribed", channel: string, reason?: string}} Unsubscribed
 * @typedef {{type: "viewport", resolution: number, tiles: string[]}} Tiles
 * @typedef {{type: "event", channel: string, offset: number, event: FeedEvent}} Event
 * @typedef {{type: "gap", channel: string}} Gap
 * @typedef {{type: "online", users: number, training: number}} Online
 * @typedef {{type: "presence", user: string, state: "online" | "training" | "offline", last_seen: string}} Presence
 * @typedef {{type: "pace", heartbeat_s: number, ttl_s: number}} Pace
 * @typedef {{type: "status", degraded: boolean}} Status
 * @typedef {{type: "refreshed", expires_at: string, expires_in_s?: number}} Refreshed
 * @typedef {{type: "reconnect", after_ms: number, reason: string}} Reconnect
 *
 * @typedef {Event | Digest | Gap | Unsubscribed} OfChannel  what comes on a channel without being asked for
 * @typedef {Welcome | Subscribed | Tiles | Refreshed | {type: "ack" | "pong"} | Refusal} Answer
 * @typedef {Online | Presence | Pace | Status | Reconnect | MapChange} Told
 * @typedef {(OfChannel | Answer | Told) & {id?: number | string}} Message
 *
 * @typedef {object} Viewport  degrees; west > east crosses the antimeridian
 * @property {number} west
 * @property {number} south
 * @property {number} east
 * @property {number} north
 * @property {number} zoom
 *
 * @typedef {object} PresenceChanges
 * @property {number} [lat]
 * @property {number} [lng]
 * @property {string} [cell]
 * @property {"browsing" | "training" | "resting"} [status]
 * @property {string} [exercise]
 * @property {string} [audience]
 * @property {boolean} [background]
 *
 * @typedef {{type: string, [field: string]: unknown}} Question
 */
export {};
