import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { Client } from 'pg'
import { variables } from '../../src/app/config-table'
import { createMigratedDatabase } from '../support/database'

const root = join(__dirname, '../..')
const documents = [
  'README.md',
  'CHANGELOG.md',
  ...readdirSync(join(root, 'docs')).map(name => `docs/${name}`),
]
const read = (name: string): string => readFileSync(join(root, name), 'utf8')

describe('the documentation', () => {
  it('names the two commands on the first screen of README.md', () => {
    const first = read('README.md').split('\n').slice(0, 30).join('\n')
    expect(first).toContain('npm ci && npm run demo')
    expect(first).toContain('npm ci && npm test')
  })

  it.each(documents)('links in %s only to what exists', name => {
    for (const [, target = ''] of read(name).matchAll(/\]\((?!https?:)([^)#]+)/g))
      expect([target, existsSync(join(root, dirname(name), target))]).toEqual([target, true])
  })

  it.each(documents)('names in %s only variables that exist', name => {
    const known = new Set<string>(Object.values(variables).map(variable => variable.name))
    const named =
      read(name).match(
        /\b(?:KAFKA|DATABASE|ALIBABA_CLOUD|IOT|RESULT|RESULTS|TARGET|QUOTA|BATCH|RETRY|HTTP|CREATE|CALL|LOOKUP|LOG)_[A-Z_]+\b/g,
      ) ?? []
    for (const variable of named) expect(known).toContain(variable)
  })

  it.each([
    ['docs/analysts.md', 8],
    ['docs/operations.md', 1],
  ])('has in %s only SQL that runs, in at least %i blocks', async (name, blocks) => {
    const database = await createMigratedDatabase()
    const client = new Client({ connectionString: database.url })
    await client.connect()
    // The sessions of readers find no table by its bare name.
    await client.query('set search_path to pg_catalog')
    try {
      const queries = [...read(name).matchAll(/```sql\n([\s\S]*?)```/g)].map(([, sql = '']) => sql)
      expect(queries.length).toBeGreaterThanOrEqual(blocks)
      for (const sql of queries) await client.query(sql)
    } finally {
      await client.end()
      await database.drop()
    }
  })
})
