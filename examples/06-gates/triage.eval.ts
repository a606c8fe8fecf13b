import { fileURLToPath } from 'node:url'
import { csv, scorer } from 'vitest-evaluate'
import { test } from 'vitest-evaluate/fixtures'
import { triage } from './triage.ts'

const tickets = csv(new URL('./tickets.csv', import.meta.url))

/** Its version is its own to give: the committed baseline stays comparable until what it judges changes. */
const right_team = scorer(
  { name: 'right_team', version: '1' },
  ({ outputs, expectations }) => outputs === expectations.team,
)

test('triage', async ({ evaluate }) => {
  await evaluate(tickets, triage, [right_team], {
    // Without it: the stored run of the commit where the branch parted from main.
    baseline: fileURLToPath(new URL('./baseline.jsonl', import.meta.url)),
    gates: {
      right_team: {
        floor: 0.85, // a contract, with the allowance that so many rows need
        margin: 0.1, // not worse than the baseline
        must: "tag.critical = 'yes'", // these, each
      },
      budget: { errorRate: 0, missingRate: 0, latencyP95Ms: 1_000 },
    },
  })
})
