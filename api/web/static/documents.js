/** The GraphQL documents of the page. */

const CONNECTION = `
  position { epoch offset }
  pageInfo { endCursor hasNextPage }
  edges { node { id type createdAt actor { id name } data cursor } }`;

export const COMMUNITY = `query Community($after: String) {
  feed: communityFeed(first: 20, after: $after) { ${CONNECTION} }
}`;

export const DASHBOARD = `query Dashboard($after: String) {
  feed: dashboard(first: 5, after: $after) { ${CONNECTION} }
}`;

export const EXERCISES = `query Exercises {
  exercises { id slug name equipment { name } }
}`;

export const ACCOUNT = `query Account {
  me { id name audience }
  entitlements { unlimited reason trialEndsAt credits }
}`;

export const PRESENCE = `query Presence {
  presenceStats { online training }
}`;

export const LOG_WORKOUT = `mutation LogWorkout($input: LogWorkoutInput!, $key: String!) {
  logWorkout(input: $input, idempotencyKey: $key) {
    charged
    existing
    balance { credits }
    workout { id totalTu muscles { muscle { name } trainingUnits } }
  }
}`;
