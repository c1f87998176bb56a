"use strict";
// The service that keeps the entries. What differs between releases is in release.js.
const { Lanes } = require("./lanes");
const { serve } = require("./web");
const { ADD, LAST, BALANCES } = require("./release");

const WHAT = process.env.WHAT || "good";
const lanes = new Lanes(6, `ledgerly-books ${process.env.VERSION}`);

async function ready() {
  if (WHAT === "never-ready" || !lanes.isWarm) return false;
  await lanes.query(LAST, [1]);
  return true;
}

serve({
  name: "books",
  ready,
  routes: {
    "POST /entries": async (entry) => [201, (await lanes.query(ADD, values(entry)))[0]],
    "GET /entries": async (_, query) => [200, await lanes.query(LAST, [query.get("last") || 10])],
    "GET /count": async () => [200, (await lanes.query("SELECT count(*)::int FROM entries"))[0]],
    "GET /balances": async () => [200, await lanes.query(BALANCES)],
    ...(WHAT === "lies" && { "GET /version": async () => [200, { version: "0.0.9" }] }),
  },
});

function values(entry) {
  return [entry.account, entry.amount, entry.memo || ""];
}
