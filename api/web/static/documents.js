// @ts-check
/** The GraphQL documents of the page. */

/**
 * @template T  what its `data` is
 * @typedef {string & {readonly answer?: T}} Document
 */

/**
 * @typedef {object} ApiEvent
 * @property {string} id
 * @property {string} type
 * @property {string} createdAt
 * @property {import("./protocol.js").Actor} actor
 * @property {import("./protocol.js").EventData} data
 * @property {number} [highFives]
 * @property {boolean} [highFived]
 * @property {string} [cursor]
 *
 * @typedef {{id: string, cursor: string, highFives: number}} Tally
 *
 * @typedef {object} FeedPage
 * @property {import("./protocol.js").Position} [position] absent: what happens from now on follows
 * @property {{endCursor: string | null, hasNextPage: boolean}} pageInfo
 * @property {{node: ApiEvent}[]} edges
 *
 * @typedef {{id: string, slug: string, name: string, equipment: {name: string} | null}} Exercise
 * @typedef {{muscle: {name: string}, trainingUnits: number}} MuscleUnits
 * @typedef {{unlimited: boolean, reason: string, trialEndsAt: string | null, credits: number}} Entitlements
 *
 * @typedef {object} Logged
 * @property {number} charged
 * @property {boolean} existing
 * @property {{credits: number}} balance
 * @property {{id: string, totalTu: number, muscles: MuscleUnits[]}} workout
 */

export const CONNECTION = `
  position { epoch offset }
  pageInfo { endCursor hasNextPage }
  edges { node { id type createdAt actor { id name } data cursor highFives highFived @include(if: $mine) } }`;

/** @type {Document<{feed: FeedPage}>} */
export const COMMUNITY = `query Community($after: String, $mine: Boolean!) {
  feed: communityFeed(first: 20, after: $after) { ${CONNECTION} }
}`;

/** @type {Document<{feed: FeedPage}>} */
export const DASHBOARD = `query Dashboard($after: String, $mine: Boolean!) {
  feed: dashboard(first: 10, after: $after) { ${CONNECTION} }
}`;

/** @typedef {Document<{feed: {edges: {node: Tally}[]}}>} TallyDocument */
/** Of nobody's own: one answer serves all who ask for the same. */
export const TALLIES = `edges { node { id cursor highFives } }`;

/** @type {TallyDocument} */
export const COMMUNITY_TALLIES = `query CommunityTallies($after: String) {
  feed: communityFeed(first: 40, after: $after) { ${TALLIES} }
}`;

/** @type {TallyDocument} */
export const DASHBOARD_TALLIES = `query DashboardTallies($after: String) {
  feed: dashboard(first: 40, after: $after) { ${TALLIES} }
}`;

/** @type {Document<{exercises: Exercise[]}>} */
export const EXERCISES = `query Exercises {
  exercises { id slug name equipment { name } }
}`;

/** @type {Document<{me: {id: string, name: string, audience: string}, entitlements: Entitlements}>} */
export const ACCOUNT = `query Account {
  me { id name audience }
  entitlements { unlimited reason trialEndsAt credits }
}`;

/** @type {Document<{nowTraining: import("./now.js").Minute[]}>} */
export const NOW = `query Now {
  nowTraining { minute training exercises { name count } }
}`;

/** @type {Document<{presenceStats: {online: number, training: number}}>} */
export const PRESENCE = `query Presence {
  presenceStats { online training }
}`;

/** @type {Document<{logWorkout: Logged}>} */
export const LOG_WORKOUT = `mutation LogWorkout($input: LogWorkoutInput!, $key: String!) {
  logWorkout(input: $input, idempotencyKey: $key) {
    charged
    existing
    balance { credits }
    workout { id totalTu muscles { muscle { name } trainingUnits } }
  }
}`;

/** @type {Document<{sendHighFive: {highFives: number}}>} */
export const HIGH_FIVE = `mutation HighFive($eventId: ID!, $key: String!) {
  sendHighFive(eventId: $eventId, idempotencyKey: $key) { highFives }
}`;

/**
 * @typedef {{code: string, message: string, statusCode: number}} SyncError
 * @typedef {{idempotencyKey: string, status: "CREATED" | "EXISTING" | "REFUSED", error: SyncError | null}} Synced
 */

/** @type {Document<{syncWorkouts: Synced[]}>} */
export const SYNC_WORKOUTS = `mutation SyncWorkouts($inputs: [SyncWorkoutInput!]!) {
  syncWorkouts(inputs: $inputs) { idempotencyKey status error { code message statusCode } }
}`;
