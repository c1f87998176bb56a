"use strict";
// What every service of ledgerly has: health, version, one log line a fault, and a good end.
const http = require("http");

const VERSION = process.env.VERSION;

// `routes` maps "METHOD /path" to a function that answers [status, value]; `ready` may reject.
exports.serve = ({ name, ready, routes }) => {
  const all = {
    "GET /live": async () => [200, { live: true }],
    "GET /version": async () => [200, { version: VERSION }],
    "GET /ready": async () => [(await ready()) ? 200 : 503, {}],
    ...routes,
  };
  const server = http.createServer({ keepAlive: false }, async (request, response) => {
    const url = new URL(request.url, "http://ledgerly");
    const route = all[`${request.method} ${url.pathname}`];
    let [status, value] = [404, { error: "no such path" }];
    try {
      if (route) [status, value] = await route(await body(request), url.searchParams);
    } catch (error) {
      console.log(`${name}: ${request.method} ${url.pathname}: ${error.code || error.message}`);
      [status, value] = [503, { error: "not now" }];
    }
    response.writeHead(status, { "Content-Type": "application/json", Connection: "close" });
    response.end(JSON.stringify(value));
  });
  server.listen(8080, "0.0.0.0", 511, () => console.log(`${name} ${VERSION} listens`));
  process.on("SIGTERM", () => {
    console.log(`${name} ${VERSION} finishes what runs`);
    server.close(() => process.exit(0));
  });
};

async function body(request) {
  let text = "";
  for await (const part of request) text += part;
  return text ? JSON.parse(text) : null;
}
