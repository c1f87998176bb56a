"use strict";
// A job: adds up the entries of each account. Running it again gives the same.
const { Lanes } = require("./lanes");
const { TALLY } = require("./release");

async function main() {
  const lanes = new Lanes(1, `ledgerly-tally ${process.env.VERSION}`);
  await lanes.query(TALLY);
  console.log("added up");
}

main().then(
  () => process.exit(0),
  (error) => {
    console.log(`tally: ${error.code || error.message}`);
    process.exit(1);
  },
);
