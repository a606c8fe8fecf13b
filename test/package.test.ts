import { existsSync, readFileSync } from 'node:fs'
import { isBuiltin } from 'node:module'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { importsOf, ROOT, sourceFiles } from './floors.ts'

const read = (path: string) => readFileSync(join(ROOT, path), 'utf8')
const manifest = JSON.parse(read('package.json'))
const lock = JSON.parse(read('package-lock.json'))
const files = sourceFiles('src', 'fixtures', 'reporters')
/** Every module that the package imports, by its package's name. */
const imported = new Map<string, string>()
for (const [path, text] of files) {
  for (const { specifier } of importsOf(text)) {
    if (!specifier.startsWith('.'))
      imported.set(specifier.split('/', specifier.startsWith('@') ? 2 : 1).join('/'), path)
  }
}

/** The source that a built file comes from. */
const sourceOf = (built: string): string => built.replace(/^(\.\/)?dist\//, '').replace(/\.js$/, '.ts')

test('every entry of exports, and the command, has its source', () => {
  const entries: string[] = [...Object.values<string>(manifest.exports), ...Object.values<string>(manifest.bin)]
  const built = entries.filter((entry) => entry !== './package.json')
  expect(built.length).toBeGreaterThan(5)
  for (const entry of built) expect(entry).toMatch(/^(\.\/)?dist\/.*\.js$/)
  expect(built.filter((entry) => !files.has(sourceOf(entry)))).toEqual([])
  expect(manifest.exports['./package.json']).toBe('./package.json')
})

test('exports holds the entries of the public surface', () => {
  expect(Object.keys(manifest.exports)).toEqual(
    expect.arrayContaining([
      ...[
        '.',
        './fixtures',
        './judges',
        './models',
        './otel',
        './plugin',
        './reporter',
        './scorers',
        './setup',
        './stores',
      ],
    ]),
  )
})

test('files holds the build and the papers, which exist', () => {
  expect(manifest.files).toEqual(['dist', 'README.md', 'CHANGELOG.md', 'LICENSE'])
  for (const file of manifest.files.slice(1)) expect(existsSync(join(ROOT, file)), file).toBe(true)
})

test('the package is ESM, needs Node 22.13, and takes both majors of vitest as a peer; no peer is forced on anybody', () => {
  expect(manifest.type).toBe('module')
  expect(manifest.engines).toEqual({ node: '>=22.13' })
  expect(manifest.peerDependencies).toEqual({
    '@opentelemetry/api': '^1.9.0',
    vitest: '^4.1.0 || ^5.0.0',
    zod: '^4.0.0',
  })
  const optional = { optional: true }
  expect(manifest.peerDependenciesMeta).toEqual({ '@opentelemetry/api': optional, vitest: optional, zod: optional })
  expect(manifest.license).toBe('Apache-2.0')
})

test('every module that is imported is built in, a dependency or a peer, and every dependency is imported', () => {
  const declared = [...Object.keys(manifest.dependencies), ...Object.keys(manifest.peerDependencies)]
  const undeclared = [...imported].filter(([name]) => !isBuiltin(name) && !declared.includes(name))
  expect(undeclared).toEqual([])
  expect(declared.filter((name) => !imported.has(name))).toEqual([])
})

test('every dependency is named in the README with its reason', () => {
  const lines = read('README.md').split('\n')
  const hasReason = (line: string): boolean => /\p{L}{2,}\W+\p{L}{2,}/u.test(line.replace(/`[^`]*`/g, ''))
  const names = Object.keys(manifest.dependencies)
  expect(names.filter((name) => !lines.some((line) => line.includes(`\`${name}\``) && hasReason(line)))).toEqual([])
})

test('no dependency runs a script when it is installed', () => {
  const packages = Object.entries<{ dev?: boolean; hasInstallScript?: boolean }>(lock.packages)
  const installed = packages.filter(([path, { dev }]) => path.startsWith('node_modules/') && !dev)
  for (const name of Object.keys(manifest.dependencies)) {
    expect(installed.map(([path]) => path)).toContain(`node_modules/${name}`)
  }
  const scripted = installed.filter(([, { hasInstallScript }]) => hasInstallScript).map(([path]) => path)
  expect(scripted).toEqual([])
})

test('the lock file and the manifest agree', () => {
  const { version, dependencies, engines } = lock.packages['']
  expect({ version, dependencies, engines }).toEqual({
    version: manifest.version,
    dependencies: manifest.dependencies,
    engines: manifest.engines,
  })
})
