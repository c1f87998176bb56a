"use strict";
// The service behind the edge. It asks books, by name. What books has surely not begun is tried
// once more: a connection that is refused, not made within a second, or reset before books took
// the request. A POST sends its entry only when books has said "100 Continue", so that no entry
// is ever written twice.
const http = require("http");
const { lookup } = require("dns").promises;
const { serve } = require("./web");

const LATE = "NOT_CONNECTED";
const CONNECT_MS = 1000;
const AGAIN = ["ECONNREFUSED", "EHOSTUNREACH", "ENOTFOUND", "EAI_AGAIN", "ECONNRESET", "EPIPE", LATE];
const TITLE = process.env.TITLE;

async function books(method, path, value) {
  const tried = new Set();
  for (let attempt = 1; ; attempt++) {
    let address;
    try {
      const known = (await lookup("books", { all: true, family: 4 })).map((one) => one.address);
      address = known.find((one) => !tried.has(one)) || known[0];
      return await send(address, method, path, value);
    } catch (error) {
      if (attempt === 2 || error.isTaken || !AGAIN.includes(error.code)) throw error;
      tried.add(address);
    }
  }
}

function send(host, method, path, value) {
  return new Promise((resolve, reject) => {
    const headers = value ? { Expect: "100-continue" } : {};
    const options = { host, port: 8080, method, path, headers, agent: false, timeout: 10000 };
    let isTaken = false;
    const request = http.request(options, async (response) => {
      isTaken = true;
      let text = "";
      for await (const part of response) text += part;
      resolve([response.statusCode, JSON.parse(text)]);
    });
    request.on("continue", () => {
      isTaken = true;
      request.end(JSON.stringify(value));
    });
    request.on("socket", (socket) => {
      const late = Object.assign(new Error("books does not take the connection"), { code: LATE });
      const timer = setTimeout(() => request.destroy(late), CONNECT_MS);
      for (const event of ["connect", "close"]) socket.once(event, () => clearTimeout(timer));
    });
    request.on("error", (error) => reject(Object.assign(error, { isTaken })));
    request.on("timeout", () => request.destroy(new Error("books is slow")));
    if (value) request.flushHeaders();
    else request.end();
  });
}

serve({
  name: "front",
  ready: async () => (await books("GET", "/ready"))[0] === 200,
  routes: {
    "GET /": async () => {
      const [status, found] = await books("GET", "/count");
      return [status, { title: TITLE, version: process.env.VERSION, entries: found.count }];
    },
    "POST /entries": async (entry) => books("POST", "/entries", entry),
    "GET /entries": async (_, query) => books("GET", `/entries?${query}`),
    "GET /balances": async () => books("GET", "/balances"),
    "GET /books": async () => books("GET", "/version"),
  },
});
