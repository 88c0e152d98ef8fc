// @ts-check
// Who is signed in, in browsers that withhold what they can. Run by test_client.py; a browser of its own for each test.
import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

const answers = { "/api/v1/auth/login": [200, { accessToken: "a", expiresIn: 900, user: { id: "u", name: "Ann" } }] };
let asked;
let visit = 0;

beforeEach(() => {
  asked = [];
  globalThis.fetch = async (path) => {
    asked.push(path);
    const [status, body] = answers[String(path)] ?? [401, { error: { code: "UNAUTHENTICATED", message: "no" } }];
    return Response.json(body, { status });
  };
});

/**
 * The module as a page with this `window` loads it.
 * @param {{storage?: () => Storage, locks?: object, randomUUID?: () => string}} [window]
 */
async function opened({ storage, locks, randomUUID } = {}) {
  Object.defineProperty(globalThis, "localStorage", { configurable: true, get: storage });
  Object.defineProperty(globalThis, "navigator", { configurable: true, value: { locks } });
  Object.defineProperty(globalThis.crypto, "randomUUID", { configurable: true, value: randomUUID });
  const { Session } = await import(`../../../../api/web/static/session.js?visit=${(visit += 1)}`);
  return new Session();
}

const blocked = () => {
  throw new Error("SecurityError: access is denied for this document");
};

test("lives where site data is blocked", async () => {
  const locks = { request: async () => blocked() };
  const session = await opened({ storage: blocked, locks });
  await session.restore();
  assert.equal(session.user, null);
  await session.login("ann@example.org", "correct horse");
  assert.equal(session.user.name, "Ann");
  assert.equal(await session.token(), "a");
  assert.equal(await session.token(true), null); // no cookie came back: signed out, and the page says so
  assert.equal(session.user, null);
});

test("a key that makes a retry safe is there without HTTPS", async () => {
  await opened({ storage: blocked });
  const { randomUuid } = await import(`../../../../api/web/static/platform.js?visit=${(visit += 1)}`);
  const made = new Set(Array.from({ length: 100 }, randomUuid));
  assert.equal(made.size, 100);
  for (const id of made) assert.match(id, /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
});

test("a sign-up that must be proven by a mail signs nobody in", async () => {
  const session = await opened();
  answers["/api/v1/auth/register"] = [202, {}];
  assert.equal(await session.register("Ann", "ann@example.org", "correct horse"), false);
  assert.equal(session.user, null);
  answers["/api/v1/auth/register"] = [201, { user: { id: "u", name: "Ann" } }];
  assert.equal(await session.register("Ann", "ann@example.org", "correct horse"), true);
  assert.equal(session.user.name, "Ann");
});

test("a clock that is set meanwhile refreshes nothing", async () => {
  const session = await opened({ storage: blocked });
  await session.login("ann@example.org", "correct horse");
  const now = Date.now;
  try {
    for (const hours of [-1e5, -12, 12, 1e5]) {
      Date.now = () => now() + hours * 3_600_000;
      for (let n = 0; n < 20; n += 1) assert.equal(await session.token(), "a");
    }
  } finally {
    Date.now = now;
  }
  assert.deepEqual(asked, ["/api/v1/auth/login"]);
});
