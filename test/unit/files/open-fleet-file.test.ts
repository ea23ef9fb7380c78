import { createHash } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { Readable } from 'node:stream'
import { lastValueFrom, map, toArray } from 'rxjs'
import { type OpenOptions, openFleetFile } from '../../../src/files/fleet-file'
import type { SourceRecord } from '../../../src/ports/request-source'
import { createRecordParser } from '../../../src/requests/parse-record'
import { bookAt } from '../../support/source-book'
import { removeTemporaryFiles, temporaryFile } from './temporary-file'

const header = 'requestId,deviceName,productKey,sourceInstanceId,targetInstanceId,targetUid'
const row = (n: number): string => `r/${n},meter-${n},a1BwAGVexmp,iot-060a02m5,iot-cn-6ja9x1,1984000000000001`
const parse = createRecordParser({ defaultTargetUid: '1984000000000001', defaultTargetAliyunId: null })

const recordsOf = async (path: string, options: OpenOptions = {}): Promise<SourceRecord[]> => {
  const file = await openFleetFile(path, options)
  const chunks = file.source.chunks(bookAt()).pipe(
    map(chunk => {
      // The next chunk comes as soon as this one is done, so it is done only after its records are taken.
      queueMicrotask(() => chunk.done())
      return chunk.records
    }),
    toArray(),
  )
  const records = (await lastValueFrom(chunks)).flat()
  await file.close()
  return records
}
const outcomesOf = (records: readonly SourceRecord[]) =>
  records.map(record => {
    const { requests, rejections } = parse(record)
    return [Number(record.position.offset), requests[0]?.deviceNames[0] ?? rejections[0]?.code]
  })

afterAll(removeTemporaryFiles)

describe('a list that can be read', () => {
  it.each([
    ['with LF', `${header}\n${row(1)}\n${row(2)}\n`],
    ['with CRLF and a byte order mark', `\ufeff${header}\r\n${row(1)}\r\n${row(2)}\r\n`],
    ['without a last line break', `${header}\n${row(1)}\n${row(2)}`],
  ])('may be CSV %s', async (_, content) => {
    const records = await recordsOf(temporaryFile('fleet.csv', content))
    expect(outcomesOf(records)).toEqual([
      [2, 'meter-1'],
      [3, 'meter-2'],
    ])
    expect(records[0]?.position).toMatchObject({
      topic: `file:${createHash('sha256').update(content).digest('hex')}`,
      partition: 0,
    })
  })

  it('may be NDJSON, whose blank lines are left out and whose records are numbered like its lines', async () => {
    const line = (n: number): string =>
      JSON.stringify({
        deviceName: `meter-${n}`,
        productKey: 'p',
        sourceInstanceId: 's',
        targetInstanceId: 't',
      })
    const records = await recordsOf(
      temporaryFile('fleet.jsonl', `\ufeff${line(1)}\n\n${line(2)}\r\n   \n${line(3)}`),
    )
    expect(outcomesOf(records)).toEqual([
      [1, 'meter-1'],
      [3, 'meter-2'],
      [5, 'meter-3'],
    ])
  })

  it.each([
    ['CSV', `${header}\n${row(1)}\n`, 'csv'],
    ['NDJSON', '\n {"deviceName":"meter-1"}\n', 'ndjson'],
  ])(
    'is recognised as %s by its first character if its name has no extension',
    async (_, content, format) => {
      const file = await openFleetFile(temporaryFile('fleet', content))
      expect(file.format).toBe(format)
    },
  )

  it('may come from standard input, by way of a private copy that is removed at the end', async () => {
    const content = `${header}\n${row(1)}\n`
    const file = await openFleetFile('-', { stdin: Readable.from([Buffer.from(content)]) })
    expect(readFileSync(file.path, 'utf8')).toBe(content)
    await file.close()
    expect(existsSync(dirname(file.path))).toBe(false)
  })
})

describe('rows that cannot be read', () => {
  it('are rejected alone', async () => {
    const rows = [row(1), 'r/2,"meter-2,p', 'r/3,meter-3', row(4), ',,,,,', 'r/6,me"ter,p,s,t,u', row(7)]
    const records = await recordsOf(temporaryFile('fleet.csv', `${header}\n${rows.join('\n')}\n`))
    expect(outcomesOf(records)).toEqual([
      [2, 'meter-1'],
      [3, 'invalid_request'],
      [4, 'invalid_request'],
      [5, 'meter-4'],
      [7, 'invalid_request'],
      [8, 'meter-7'],
    ])
    const messages = records.map(record => parse(record).rejections[0]?.message ?? '')
    expect(messages[1]).toContain('line 3: a quote is not closed on its line')
    expect(messages[2]).toContain('line 4: 2 cells, but the header has 6')
  })

  it('reach the parser unchanged if they are not UTF-8, cut off, or too long', async () => {
    const latin1 = Buffer.from(`${header}\nr/1,z\xe4hler,p,s,t,u\n`, 'latin1')
    expect(outcomesOf(await recordsOf(temporaryFile('fleet.csv', latin1)))).toEqual([[2, 'invalid_encoding']])
    const cut =
      '{"deviceName":"meter-1","productKey":"p","sourceInstanceId":"s","targetInstanceId":"t"}\n{"deviceNa'
    expect(outcomesOf(await recordsOf(temporaryFile('fleet.ndjson', cut)))).toEqual([
      [1, 'meter-1'],
      [2, 'invalid_json'],
    ])
    const long = `{"x":"${'y'.repeat(5 * 1024 * 1024)}"}\n{}\n`
    expect(outcomesOf(await recordsOf(temporaryFile('fleet.ndjson', long)))).toEqual([
      [1, 'record_too_large'],
      [2, 'invalid_request'],
    ])
  })
})

describe('a list that cannot be read at all', () => {
  it.each([
    ['an empty file', 'fleet.csv', '', /fleet\.csv is empty$/],
    ['a header alone', 'fleet.csv', `${header}\n`, /fleet\.csv holds no request$/],
    ['blank lines alone', 'fleet.ndjson', '\n \n', /fleet\.ndjson holds no request$/],
    [
      'a header that lacks columns',
      'fleet.csv',
      'deviceName\nmeter-1\n',
      /no column productKey, no column sourceInstanceId, no column target/,
    ],
    ['UTF-16', 'fleet.csv', Buffer.from(`\ufeff${header}`, 'utf16le'), /UTF-16 text; save it as UTF-8$/],
    ['a JSON array', 'fleet.json', '[{"deviceName":"meter-1"}]', /one request a line/],
  ])('is refused with its reason: %s', async (_, name, content, reason) => {
    await expect(openFleetFile(temporaryFile(name, content))).rejects.toThrow(reason)
  })

  it('is refused with its reason if it is missing or a directory', async () => {
    const path = temporaryFile('fleet.csv', 'x')
    await expect(openFleetFile(`${path}.gone`)).rejects.toThrow(/cannot read .*gone: there is no such file$/)
    await expect(openFleetFile(dirname(path))).rejects.toThrow(/it is a directory$/)
  })

  it('is named standard input, not by its copy', async () => {
    await expect(openFleetFile('-', { stdin: Readable.from([]) })).rejects.toThrow('standard input is empty')
  })
})

describe('examples/fleet.csv', () => {
  it('holds a large fleet on twelve routes, with six mistakes', async () => {
    const records = await recordsOf(join(__dirname, '../../../examples/fleet.csv'))
    const parsed = records.map(record => parse(record))
    const requests = parsed.flatMap(each => each.requests)
    expect(records).toHaveLength(32_012)
    expect(new Set(requests.map(request => JSON.stringify(request.route))).size).toBe(12)
    expect(parsed.flatMap(each => each.rejections.map(rejection => rejection.code)).sort()).toEqual([
      'invalid_device_name',
      'invalid_device_name',
      'invalid_device_name',
      'invalid_request',
      'invalid_request',
      'invalid_request',
    ])
    expect(new Set(requests.map(request => `${request.requestId} ${request.deviceNames}`)).size).toBe(32_002)
    expect(new Set(requests.map(request => request.deviceNames[0])).size).toBe(32_000)
  })
})
