import { sdk } from './telemetry.ts'

// The SDK first: what takes a tracer before it is there would take one that does nothing.
const { answer } = await import('./bot.ts')

const QUESTIONS = [
  'Are returns free?',
  'How long does delivery take?',
  'Can I pay by card?',
  'Do you sell gift wrapping?',
  '',
  'Is delivery on a Sunday possible, and what about returns?',
]

/** Customers ask in conversations of three questions. `node start.ts 100` asks a hundred times. */
const count = Number(process.argv[2] ?? 12)
let failed = 0
for (let i = 0; i < count; i++) {
  const text = QUESTIONS[i % QUESTIONS.length] as string
  const place = { session: `chat-${Math.floor(i / 3)}`, user: `customer-${Math.floor(i / 3) % 7}` }
  await answer({ text, ...place }).catch(() => failed++)
}
// What has not been sent yet is sent now.
await sdk.shutdown()
console.log(`${count} questions asked, ${failed} failed`)
