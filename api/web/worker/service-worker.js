// @ts-check
/**
 * Keeps the page's own files for when there is no network, or no server. Whoever is online gets everything from the
 * server, always the newest; what is kept answers only where nothing else does, and says since when it has been kept
 * (`X-Kept-At`). Nothing but files that are everybody's is ever looked at here: no answer of the API, nothing of a viewer.
 */
const worker = /** @type {ServiceWorkerGlobalScope} */ (/** @type {unknown} */ (self));
const PREFIX = "shell ";
const CACHE = PREFIX + SHELL.version;
const KEPT_AT = "X-Kept-At";
const PAGE = "/";
const STATIC = "/static/";
const NETWORK_MS = 4_000; // a network that says nothing for so long is none

/** @type {Set<string>} pages that were opened from what is kept: their parts come from there, too, of one version */
const kept = new Set();
const KEPT_PAGES_MAX = 100;

worker.addEventListener("install", (event) => {
  event.waitUntil(install());
  // Past the worker, where a browser can: a page that is left would take what it still sends with it on this way.
  const { addRoutes } = /** @type {{addRoutes?: (rule: object) => Promise<void>}} */ (/** @type {unknown} */ (event));
  const past = addRoutes?.call(event, { condition: { urlPattern: { pathname: "/api/*" } }, source: "network" });
  if (past) event.waitUntil(past);
});
worker.addEventListener("activate", (event) => event.waitUntil(activate()));
worker.addEventListener("fetch", (event) => {
  const { method, mode, url } = event.request;
  const { origin, pathname, search } = new URL(url);
  if (method !== "GET" || origin !== worker.location.origin || search) return;
  const isPage = mode === "navigate";
  if (isPage ? pathname === PAGE : pathname.startsWith(STATIC) || SHELL.files.includes(pathname)) {
    event.respondWith(answer(event, pathname, isPage));
  }
});

/** Everything or nothing: what was kept before stays where a file is missing. */
async function install() {
  const cache = await caches.open(CACHE);
  await Promise.all(
    SHELL.files.map(async (path) => {
      const response = await fetch(path, { credentials: "omit", cache: "no-cache" });
      if (!response.ok) throw new Error(`${path}: ${response.status}`);
      await cache.put(path, await stamped(response));
    }),
  );
  await worker.skipWaiting(); // whoever is online has the new version already
}

async function activate() {
  const names = await caches.keys();
  await Promise.all(names.filter((name) => name.startsWith(PREFIX) && name !== CACHE).map((name) => caches.delete(name)));
  await worker.clients.claim();
}

/**
 * @param {FetchEvent} event
 * @param {string} path
 * @param {boolean} isPage
 */
async function answer(event, path, isPage) {
  if (kept.has(event.clientId)) {
    const found = await find(path);
    if (found) return found;
  }
  let response = null;
  try {
    response = await asked(event.request);
    if (response.status < 500) {
      if (response.ok && !SHELL.files.includes(path)) event.waitUntil(keep(path, response.clone()));
      return response;
    }
  } catch {
    // no network, or a silent one
  }
  const found = await find(path);
  if (found && isPage) {
    if (kept.size >= KEPT_PAGES_MAX) kept.clear();
    kept.add(event.resultingClientId);
  }
  return found ?? response ?? Response.error();
}

/** @param {Request} request */
async function asked(request) {
  const silent = new AbortController();
  const timer = setTimeout(() => silent.abort(), NETWORK_MS);
  try {
    return await fetch(request, { signal: silent.signal });
  } finally {
    clearTimeout(timer);
  }
}

/** @param {string} path */
async function find(path) {
  return (await caches.open(CACHE)).match(path);
}

/**
 * A part that is loaded on demand: without a network it is there for whoever has used it.
 * @param {string} path
 * @param {Response} response
 */
async function keep(path, response) {
  await (await caches.open(CACHE)).put(path, await stamped(response));
}

/** @param {Response} response */
async function stamped(response) {
  const headers = new Headers(response.headers);
  headers.set(KEPT_AT, new Date().toISOString());
  for (const name of ["content-encoding", "content-length"]) headers.delete(name); // the body is not coded any more
  return new Response(await response.arrayBuffer(), { status: response.status, headers });
}
