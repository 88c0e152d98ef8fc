// @ts-check
// Peers of the API: Apollo Server on Fastify, or Mercurius, without its JIT or with it, over the product's own tables.
// They say who asks as the product does (row level security), read nobody's statements without a transaction, load what
// belongs to several workouts at once, and have the reference data in memory. They have no limits, no log, no metrics.
// node graphql.mjs MODULES KIND PORT DATABASE_URL JWKS POOL; KIND: apollo, mercurius, mercurius-jit
import { createPublicKey, randomUUID, verify } from "node:crypto";
import { createRequire } from "node:module";

const [modules, kind, port, databaseUrl, jwks, poolMax] = process.argv.slice(2);
const packaged = createRequire(`${modules}/`);
const { Pool } = packaged("pg");

const NAMESPACE = "musclemap";
const TOKENS_KEPT = 10_000;
const SHARES = 8; // of the high fives of one event
const TRIES = 5;
const HIGH_FIVES_PER_HOUR_MAX = 500;

const SDL = `
scalar JSON
scalar DateTime
scalar Offset
type Query {
  communityFeed(first: Int, after: String): FeedConnection!
  user(id: ID!): Profile
  myWorkouts(first: Int, after: String): WorkoutConnection!
}
type Mutation { sendHighFive(eventId: ID!, idempotencyKey: String!): HighFivePayload! }
type FeedConnection { edges: [FeedEdge!]! pageInfo: PageInfo! position: FeedPosition }
type FeedPosition { epoch: String! offset: Offset! }
type FeedEdge { cursor: String! node: FeedEvent! }
type FeedEvent { id: ID! type: String! createdAt: DateTime! actor: Actor data: JSON! cursor: String! }
type Actor { id: ID! name: String! }
type PageInfo { endCursor: String hasNextPage: Boolean! }
type Profile {
  id: ID! name: String! level: Int! xp: Int! streak: Int! followers: Int! following: Int!
  followState: FollowState! followsMe: Boolean!
}
enum FollowState { SELF NONE REQUESTED FOLLOWING }
type WorkoutConnection { edges: [WorkoutEdge!]! pageInfo: PageInfo! }
type WorkoutEdge { cursor: String! node: Workout! }
type Workout {
  id: ID! performedAt: DateTime! note: String totalTu: Float!
  muscles: [MuscleActivation!]! exercises: [WorkoutExercise!]!
}
type MuscleActivation { muscle: Muscle! trainingUnits: Float! }
type WorkoutExercise { exercise: Exercise! sets: [WorkoutSet!]! }
type WorkoutSet { reps: Int! weightKg: Float }
type Muscle { id: ID! slug: String! name: String! biasWeight: Float! }
type Exercise { id: ID! slug: String! name: String! }
type HighFivePayload { eventId: ID! highFives: Int! existing: Boolean! }
`;

const PAGE = {
  name: "page",
  text: `SELECT epoch, head, "offset", body FROM feed_page('${NAMESPACE}', 'community', $1, $2)`,
};
const PROFILE = {
  name: "profile",
  text: `SELECT id, name, xp, level, streak, followers, following, relation, follows_me
           FROM profiles_of($1, ARRAY[$2::uuid], now())`,
};
const WORKOUTS = {
  name: "workouts",
  text: `SELECT id, performed_at, note, total_tu FROM workouts WHERE user_id = $1
          ORDER BY performed_at DESC, id DESC LIMIT $2`,
};
const MUSCLES_OF = {
  name: "muscles_of",
  text: `SELECT workout_id, muscle_id, training_units FROM workout_muscles WHERE workout_id = ANY ($1::uuid[])
          ORDER BY training_units DESC`,
};
const EXERCISES_OF = {
  name: "exercises_of",
  text: `SELECT workout_id, exercise_id, sets FROM workout_exercises WHERE workout_id = ANY ($1::uuid[])
          ORDER BY position`,
};
const HIGH_FIVE = { name: "high_five", text: "SELECT outcome FROM send_high_five($1, $2, $3, $4, $5, now())" };
const TALLY = {
  name: "tally",
  text: "SELECT coalesce(sum(high_fives), 0)::int AS high_fives FROM high_five_counts WHERE rendition_id = $1",
};

const pool = new Pool({ connectionString: databaseUrl, max: Number(poolMax) });
const keys = new Map(JSON.parse(jwks).keys.map((jwk) => [jwk.kid, createPublicKey({ key: jwk, format: "jwk" })]));
const muscles = new Map((await pool.query("SELECT id, slug, name, bias_weight FROM muscles")).rows.map(named));
const exercises = new Map((await pool.query("SELECT id, slug, name FROM exercises")).rows.map(named));

function named({ bias_weight: biasWeight, ...row }) {
  return [row.id, { ...row, biasWeight }];
}

/** Whose token it is, verified once and then kept, as the product does. */
const kept = new Map();
function viewerOf(authorization) {
  if (!authorization) return null;
  const token = authorization.slice("Bearer ".length);
  const known = kept.get(token);
  if (known && known.exp > Date.now() / 1000) return known.sub;
  const [head, payload, signature] = token.split(".");
  const key = keys.get(JSON.parse(Buffer.from(head, "base64url").toString()).kid);
  const options = { key, dsaEncoding: /** @type {const} */ ("ieee-p1363") };
  if (!verify("sha256", Buffer.from(`${head}.${payload}`), options, Buffer.from(signature, "base64url"))) {
    throw new Error("not signed by the API");
  }
  const claims = JSON.parse(Buffer.from(payload, "base64url").toString());
  if (claims.exp <= Date.now() / 1000 || claims.aud !== NAMESPACE) throw new Error("expired");
  if (kept.size >= TOKENS_KEPT) kept.clear();
  kept.set(token, claims);
  return claims.sub;
}

/** One statement as a user, in a transaction that says who asks. */
async function readAs(viewer, statement, values) {
  if (!/^[0-9a-f-]{36}$/.test(viewer ?? "")) throw new Error("sign in");
  const client = await pool.connect();
  try {
    await client.query(`BEGIN ISOLATION LEVEL READ COMMITTED READ ONLY; SET LOCAL musclemap.user_id TO '${viewer}'`);
    const { rows } = await client.query({ ...statement, values });
    await client.query("COMMIT");
    return rows;
  } finally {
    client.release();
  }
}

const cursorOf = (...parts) => Buffer.from(parts.join("|")).toString("base64url");

async function page(first = 20) {
  const { rows } = await pool.query({ ...PAGE, values: [null, first + 1] });
  const found = rows.filter((row) => row.offset !== null);
  const edges = found.slice(0, first).map(({ epoch, offset, body }) => {
    const cursor = cursorOf(`${epoch}:${offset}`);
    return { cursor, node: { ...body, createdAt: body.created_at, cursor } };
  });
  const pageInfo = { endCursor: edges.at(-1)?.cursor ?? null, hasNextPage: found.length > first };
  return { edges, pageInfo, position: { epoch: rows[0].epoch, offset: Number(rows[0].head) } };
}

const STATES = { self: "SELF", following: "FOLLOWING", requested: "REQUESTED" };

async function profile(viewer, id) {
  const [row] = await readAs(viewer, PROFILE, [viewer, id]);
  return row && { ...row, xp: Number(row.xp), followState: STATES[row.relation] ?? "NONE", followsMe: row.follows_me };
}

async function mine(viewer, first = 20) {
  const rows = await readAs(viewer, WORKOUTS, [viewer, first + 1]);
  const edges = rows.slice(0, first).map((row) => ({
    cursor: cursorOf(row.performed_at.toISOString(), row.id),
    node: { id: row.id, performedAt: row.performed_at.toISOString(), note: row.note, totalTu: row.total_tu },
  }));
  return { edges, pageInfo: { endCursor: edges.at(-1)?.cursor ?? null, hasNextPage: rows.length > first } };
}

/** What belongs to each of these workouts, read at once. */
async function ofWorkouts(viewer, statement, ids, shown) {
  const found = new Map(ids.map((id) => [id, []]));
  for (const row of await readAs(viewer, statement, [ids])) found.get(row.workout_id).push(shown(row));
  return ids.map((id) => found.get(id));
}

const musclesOf = (viewer, ids) =>
  ofWorkouts(viewer, MUSCLES_OF, ids, (row) => ({
    muscle: muscles.get(row.muscle_id),
    trainingUnits: row.training_units,
  }));
const exercisesOf = (viewer, ids) =>
  ofWorkouts(viewer, EXERCISES_OF, ids, (row) => ({
    exercise: exercises.get(row.exercise_id),
    sets: row.sets.map((set) => ({ reps: set.reps, weightKg: set.weight_kg })),
  }));

async function highFive(viewer, eventId) {
  const share = Number(`0x${viewer.slice(-2)}`) % SHARES;
  const values = [viewer, eventId, randomUUID(), share, HIGH_FIVES_PER_HOUR_MAX];
  for (let tries = 1; ; tries += 1) {
    try {
      const { outcome } = (await pool.query({ ...HIGH_FIVE, values })).rows[0];
      if (outcome !== "sent" && outcome !== "existing") throw new Error(outcome);
      const [tally] = await readAs(viewer, TALLY, [eventId]);
      return { eventId, highFives: tally.high_fives, existing: outcome === "existing" };
    } catch (error) {
      if (error.code !== "40001" || tries === TRIES) throw error;
    }
  }
}

const roots = {
  Query: {
    communityFeed: (_, { first }) => page(first),
    user: (_, { id }, { viewer }) => profile(viewer, id),
    myWorkouts: (_, { first }, { viewer }) => mine(viewer, first),
  },
  Mutation: { sendHighFive: (_, { eventId }, { viewer }) => highFive(viewer, eventId) },
};

async function apollo(app) {
  const { ApolloServer } = packaged("@apollo/server");
  const { fastifyApolloHandler } = packaged("@as-integrations/fastify");
  const DataLoader = packaged("dataloader");
  const server = new ApolloServer({
    typeDefs: SDL,
    resolvers: {
      ...roots,
      Workout: {
        muscles: (workout, _, { musclesOf: loader }) => loader.load(workout.id),
        exercises: (workout, _, { exercisesOf: loader }) => loader.load(workout.id),
      },
    },
  });
  await server.start();
  const context = async (request) => {
    const viewer = viewerOf(request.headers.authorization);
    return {
      viewer,
      musclesOf: new DataLoader((ids) => musclesOf(viewer, ids)),
      exercisesOf: new DataLoader((ids) => exercisesOf(viewer, ids)),
    };
  };
  app.route({ url: "/api/graphql", method: ["GET", "POST"], handler: fastifyApolloHandler(server, { context }) });
}

function mercurius(app) {
  const load = (batch) => (queries, { viewer }) => batch(viewer, queries.map(({ obj }) => obj.id));
  app.register(packaged("mercurius"), {
    schema: SDL,
    resolvers: roots,
    loaders: { Workout: { muscles: load(musclesOf), exercises: load(exercisesOf) } },
    context: (request) => ({ viewer: viewerOf(request.headers.authorization) }),
    jit: kind === "mercurius-jit" ? 1 : 0,
    path: "/api/graphql",
  });
}

const app = packaged("fastify")();
await (kind === "apollo" ? apollo(app) : mercurius(app));
await app.listen({ port: Number(port), host: "127.0.0.1" });
