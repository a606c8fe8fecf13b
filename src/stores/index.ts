export type { Store } from '../store.ts'
export { memory } from './memory.ts'
export { type SqliteOptions, sqlite } from './sqlite.ts'
