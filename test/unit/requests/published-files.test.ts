import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import Ajv2020 from 'ajv/dist/2020'
import { parse as parseYaml } from 'yaml'
import { isInstant } from '../../../src/requests/request-schema'
import { makeRecord, parse } from './make-record'

const root = join(__dirname, '../../..')
const read = (path: string): string => readFileSync(join(root, path), 'utf8')
const ajv = new Ajv2020({ formats: { 'date-time': isInstant } })
const requestSchema = JSON.parse(read('schemas/move-request.schema.json'))
const outcomeSchema = JSON.parse(read('schemas/outcome.schema.json'))
const lines = read('examples/requests.ndjson').trim().split('\n')

describe('the published schemas', () => {
  it.each([
    ['request', requestSchema],
    ['outcome', outcomeSchema],
  ])('accept the examples of the %s schema', (_, schema) => {
    const isValid = ajv.compile(schema)
    expect(schema.examples.length).toBeGreaterThan(1)
    for (const example of schema.examples) expect(isValid(example) ? null : isValid.errors).toBeNull()
  })

  it('have a title and a description for every field', () => {
    for (const schema of [requestSchema, outcomeSchema]) {
      for (const [name, field] of Object.entries(schema.properties)) {
        expect([name, field]).toEqual([
          name,
          expect.objectContaining({ title: expect.any(String), description: expect.any(String) }),
        ])
      }
    }
  })
})

describe('examples/requests.ndjson', () => {
  it.each(lines)('has a valid request on each line: %s', line => {
    const isValid = ajv.getSchema(requestSchema.$id) ?? ajv.compile(requestSchema)
    expect(isValid(JSON.parse(line))).toBe(true)
    expect(parse(makeRecord(line))).toMatchObject({ requests: [{}], rejections: [] })
  })
})

describe('schemas/asyncapi.yaml', () => {
  const document = parseYaml(read('schemas/asyncapi.yaml'))

  const refsOf = (value: unknown): string[] => {
    if (typeof value !== 'object' || value === null) return []
    return Object.entries(value).flatMap(([key, inner]) => (key === '$ref' ? [String(inner)] : refsOf(inner)))
  }
  const resolve = (ref: string): unknown =>
    ref.startsWith('#/')
      ? ref
          .slice(2)
          .split('/')
          .reduce((at, key) => at?.[key], document)
      : JSON.parse(read(join('schemas', ref)))

  it('describes the three topics of the service', () => {
    expect(document.asyncapi).toBe('3.0.0')
    const channels: { address: string }[] = Object.values(document.channels)
    expect(channels.map(channel => channel.address)).toEqual([
      'device-move.requests',
      'device-move.results',
      'device-move.dead-letter',
    ])
  })

  it('refers only to what exists', () => {
    const refs = refsOf(document)
    expect(refs).toContain('./outcome.schema.json')
    for (const ref of refs) expect([ref, resolve(ref)]).toEqual([ref, expect.anything()])
  })
})
