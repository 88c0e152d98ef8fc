// Peer: Bun's own WebSocket server (uWebSockets) with its publish, fed by Bun's Redis client.
// bun bun.ts PORT REDIS_URL
const [port, redisUrl] = process.argv.slice(2);
const server = Bun.serve({
  hostname: "127.0.0.1",
  port: Number(port),
  fetch(request, server) {
    return server.upgrade(request) ? undefined : new Response("WebSocket only", { status: 426 });
  },
  websocket: {
    perMessageDeflate: false,
    sendPings: false,
    idleTimeout: 0,
    open(socket) {
      socket.subscribe("community");
    },
    message() {},
  },
});
const redis = new Bun.RedisClient(redisUrl);
await redis.connect();
await redis.subscribe("rt:community", (text) => server.publish("community", text));
