// @ts-check
/** The GraphQL documents of the views. */
import { CONNECTION, TALLIES } from "../documents.js";

/**
 * @template T
 * @typedef {import("../documents.js").Document<T>} Document
 */
/**
 * @template T
 * @typedef {import("./kit.js").Connection<T>} Connection
 */

/**
 * @typedef {"SELF" | "NONE" | "REQUESTED" | "FOLLOWING"} FollowState
 * @typedef {{id: string, name: string, description: string}} Named
 * @typedef {{id: string, name: string, level: number, streak: number, followState: FollowState, followsMe: boolean}} Person
 * @typedef {{achievement: Named, earnedAt: string}} Earned
 *
 * @typedef {object} More
 * @property {number} xp
 * @property {number} followers
 * @property {number} following
 * @property {{state: "ONLINE" | "TRAINING" | "OFFLINE", lastSeen: string | null} | null} presence
 * @property {Named | null} archetype
 * @property {Earned[]} achievements
 *
 * @typedef {Person & More} Profile
 * @typedef {{id: string, name: string, email: string, audience: Audience, timeZone: string, xp: number, level: number, archetype: {id: string} | null}} Me
 * @typedef {"EVERYONE" | "FOLLOWERS" | "NOBODY"} Audience
 * @typedef {{current: number, longest: number, lastDate: string | null}} Streak
 *
 * @typedef {object} Challenge
 * @property {string} id
 * @property {string} name
 * @property {string} description
 * @property {"DAILY" | "COMMUNITY"} kind
 * @property {number} target
 * @property {number} progress
 * @property {number} rewardXp
 * @property {string} endsAt
 * @property {"OPEN" | "JOINED" | "COMPLETED" | "EXPIRED"} state
 *
 * @typedef {{rank: number, profile: {id: string, name: string, level: number} | null, score: number, me: boolean}} Place
 * @typedef {{me: Place | null, refreshedAt: string | null}} Board
 * @typedef {{profile: {id: string, name: string, level: number}, myScore: number, theirScore: number, since: string}} Rival
 * @typedef {{id: string, amount: number, balanceAfter: number, reason: string, createdAt: string}} Entry
 * @typedef {{unlimited: boolean, reason: "TRIAL" | "SUBSCRIPTION" | "CREDITS", trialEndsAt: string | null, subscribedUntil: string | null, credits: number}} Entitlements
 */

const PERSON = "id name level streak followState followsMe";
const PEOPLE = `edges { node { ${PERSON} } } pageInfo { endCursor hasNextPage }`;
const MORE = `xp followers following presence { state lastSeen } archetype { id name description }
  achievements { achievement { id name description } earnedAt }`;
const ACCOUNT = "id name email audience timeZone xp level archetype { id }";

/** @type {Document<{me: Me, streak: Streak, profile: Profile | null, achievements: Named[], archetypes: Named[]}>} */
export const ME = `query Me($id: ID!) {
  me { ${ACCOUNT} }
  streak { current longest lastDate }
  profile: user(id: $id) { ${PERSON} ${MORE} }
  achievements { id name description }
  archetypes { id name description }
}`;

/** @type {Document<{profile: Profile | null}>} */
export const PROFILE = `query Profile($id: ID!) { profile: user(id: $id) { ${PERSON} ${MORE} } }`;

/** @type {Document<{feed: import("../documents.js").FeedPage}>} */
export const PROFILE_FEED = `query ProfileFeed($id: ID!, $after: String, $mine: Boolean!) {
  feed: profileFeed(userId: $id, first: 10, after: $after) { ${CONNECTION} }
}`;

/** @type {import("../documents.js").TallyDocument} */
export const PROFILE_TALLIES = `query ProfileTallies($id: ID!, $after: String) {
  feed: profileFeed(userId: $id, first: 40, after: $after) { ${TALLIES} }
}`;

/** @type {Document<{channelToken: {token: string}}>} */
export const CHANNEL_TOKEN = `query ChannelToken($channel: String!) { channelToken(channel: $channel) { token } }`;

/** @type {Document<{profiles: Connection<Person>}>} */
export const SEARCH = `query Search($search: String!, $after: String) {
  profiles(search: $search, first: 20, after: $after) { ${PEOPLE} }
}`;

/** @type {Document<{people: Connection<Person>}>} */
export const FOLLOWERS = `query Followers($id: ID!, $after: String) {
  people: followers(userId: $id, first: 20, after: $after) { ${PEOPLE} }
}`;

/** @type {Document<{people: Connection<Person>}>} */
export const FOLLOWING = `query Following($id: ID!, $after: String) {
  people: following(userId: $id, first: 20, after: $after) { ${PEOPLE} }
}`;

/** @type {Document<{people: Connection<Person>}>} */
export const REQUESTS = `query Requests($after: String) {
  people: followRequests(first: 20, after: $after) { ${PEOPLE} }
}`;

/** @type {Document<{feed: Connection<import("../documents.js").ApiEvent>}>} */
export const FOLLOWING_FEED = `query FollowingFeed($after: String) {
  feed: followingFeed(first: 20, after: $after) {
    edges { node { id type createdAt actor { id name } data } } pageInfo { endCursor hasNextPage }
  }
}`;

/**
 * A change between two people: `follow`, `unfollow`, `acceptFollow` or `declineFollow`.
 * @param {string} field
 * @returns {Document<{profile: Person}>}
 */
export const between = (field) => `mutation Between($id: ID!) { profile: ${field}(userId: $id) { ${PERSON} } }`;

/** @type {Document<{block: boolean}>} */
export const BLOCK = `mutation Block($id: ID!) { block(userId: $id) }`;

/** @type {Document<{unblock: boolean}>} */
export const UNBLOCK = `mutation Unblock($id: ID!) { unblock(userId: $id) }`;

const RIVAL = "profile { id name level } myScore theirScore since";

/** @type {Document<{rivals: Rival[]}>} */
export const RIVALS = `query Rivals { rivals { ${RIVAL} } }`;

/** @type {Document<{addRival: Rival}>} */
export const ADD_RIVAL = `mutation AddRival($id: ID!) { addRival(userId: $id) { ${RIVAL} } }`;

/** @type {Document<{removeRival: boolean}>} */
export const REMOVE_RIVAL = `mutation RemoveRival($id: ID!) { removeRival(userId: $id) }`;

/** @type {Document<{leaderboard: Connection<Place> & Board}>} */
export const LEADERBOARD = `query Leaderboard($board: Board!, $period: Period!, $after: String) {
  leaderboard(board: $board, period: $period, first: 20, after: $after) {
    edges { node { rank score me profile { id name level } } }
    pageInfo { endCursor hasNextPage }
    me { rank score me profile { id name level } }
    refreshedAt
  }
}`;

const CHALLENGE = "id name description kind target progress rewardXp endsAt state";

/** @type {Document<{challenges: Challenge[]}>} */
export const CHALLENGES = `query Challenges { challenges { ${CHALLENGE} } }`;

/** @type {Document<{joinChallenge: Challenge}>} */
export const JOIN_CHALLENGE = `mutation JoinChallenge($id: ID!) { joinChallenge(id: $id) { ${CHALLENGE} } }`;

/** @type {Document<{creditBalance: {credits: number}, entitlements: Entitlements}>} */
export const CREDITS = `query Credits {
  creditBalance { credits }
  entitlements { unlimited reason trialEndsAt subscribedUntil credits }
}`;

/** @type {Document<{ledger: Connection<Entry>}>} */
export const LEDGER = `query Ledger($after: String) {
  ledger: creditLedger(first: 20, after: $after) {
    edges { node { id amount balanceAfter reason createdAt } } pageInfo { endCursor hasNextPage }
  }
}`;

/** @type {Document<{workouts: Connection<{id: string, totalTu: number} & import("./levels.js").Trained>}>} */
export const WORKOUTS = `query Workouts($after: String) {
  workouts: myWorkouts(first: 100, after: $after) {
    edges { node { id performedAt totalTu muscles { muscle { slug name } trainingUnits } } }
    pageInfo { endCursor hasNextPage }
  }
}`;

/** @type {Document<{me: Me}>} */
export const PRIVACY = `query Privacy { me { ${ACCOUNT} } }`;

/** @type {Document<{setAudience: Me}>} */
export const SET_AUDIENCE = `mutation SetAudience($audience: Audience!) { setAudience(audience: $audience) { ${ACCOUNT} } }`;

/** @type {Document<{setTimeZone: Me}>} */
export const SET_TIME_ZONE = `mutation SetTimeZone($zone: String!) { setTimeZone(timeZone: $zone) { ${ACCOUNT} } }`;

/** @type {Document<{setArchetype: Me}>} */
export const SET_ARCHETYPE = `mutation SetArchetype($id: ID!) { setArchetype(id: $id) { ${ACCOUNT} } }`;

/** @type {Document<{exportMyData: {createdAt: string, data: Record<string, unknown>}}>} */
export const EXPORT = `mutation Export { exportMyData { createdAt data } }`;

/** @type {Document<{deleteMyAccount: boolean}>} */
export const DELETE_ACCOUNT = `mutation DeleteAccount($password: String!) { deleteMyAccount(password: $password) }`;
