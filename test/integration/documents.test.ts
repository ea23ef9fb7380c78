import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { Client } from 'pg'
import { variables } from '../../src/config-table'
import { migrate } from '../../src/postgres/migrate'
import { createTestDatabase } from '../support/database'

const root = join(__dirname, '../..')
const documents = [
  'README.md',
  'CHANGELOG.md',
  ...readdirSync(join(root, 'docs')).map(name => `docs/${name}`),
]
const read = (name: string): string => readFileSync(join(root, name), 'utf8')

describe('the documents', () => {
  it('name the two commands on the first screen', () => {
    const first = read('README.md').split('\n').slice(0, 30).join('\n')
    expect(first).toContain('npm ci && npm run demo')
    expect(first).toContain('npm ci && npm test')
  })

  it.each(documents)('%s links only to what exists', name => {
    for (const [, target = ''] of read(name).matchAll(/\]\((?!https?:)([^)#]+)/g))
      expect([target, existsSync(join(root, dirname(name), target))]).toEqual([target, true])
  })

  it.each(documents)('%s names only variables that exist', name => {
    const known = new Set<string>(Object.values(variables).map(variable => variable.name))
    const named =
      read(name).match(/\b(?:KAFKA|ALIBABA_CLOUD|QUOTA|BATCH|RETRY|HTTP|CREATE|CALL|LOOKUP)_[A-Z_]+\b/g) ?? []
    for (const variable of named) expect(known).toContain(variable)
  })

  it('docs/analysts.md has only queries that run', async () => {
    const database = await createTestDatabase()
    await migrate(database.url, { log: () => undefined })
    const client = new Client({ connectionString: database.url })
    await client.connect()
    try {
      const queries = [...read('docs/analysts.md').matchAll(/```sql\n([\s\S]*?)```/g)].map(
        ([, sql = '']) => sql,
      )
      expect(queries.length).toBeGreaterThanOrEqual(8)
      for (const sql of queries) await client.query(sql)
    } finally {
      await client.end()
      await database.drop()
    }
  })
})
