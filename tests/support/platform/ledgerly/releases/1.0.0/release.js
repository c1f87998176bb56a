"use strict";
exports.ADD = "INSERT INTO entries (account, cents, memo) VALUES ($1, $2, $3) RETURNING id::int";
exports.LAST =
  "SELECT id::int, account, cents AS amount, memo FROM entries ORDER BY id DESC LIMIT $1";
exports.BALANCES = "SELECT account, sum(cents)::int AS amount FROM entries GROUP BY account ORDER BY 1";
