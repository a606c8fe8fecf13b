const OLDEST = [22, 13] as const

/** Gives what is wrong with a version of Node, as in `20.20.2`; undefined where it is new enough. */
export function problemOfNode(version: string): string | undefined {
  const [major = 0, minor = 0] = version.split('.').map(Number)
  const isOld = major < OLDEST[0] || (major === OLDEST[0] && minor < OLDEST[1])
  return isOld ? `vitest-evaluate needs Node ${OLDEST.join('.')} or newer, and this is ${version}` : undefined
}
