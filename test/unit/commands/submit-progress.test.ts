import { createSubmitProgress } from '../../../src/commands/submit/submit'
import { createRecordParser } from '../../../src/requests/parse-record'

const requestAt = (line: number, requestId: string | undefined) => {
  const request = {
    requestId,
    deviceName: 'meter-1',
    productKey: 'a1BwAGVexmp',
    sourceInstanceId: 'iot-a',
    targetInstanceId: 'iot-b',
    targetUid: '1984',
  }
  const { requests } = createRecordParser({ defaultTargetUid: null, defaultTargetAliyunId: null })({
    position: { topic: 'file:x', partition: 0, offset: BigInt(line) },
    key: null,
    value: Buffer.from(JSON.stringify(request)),
    headers: {},
    timestampMs: 0,
  })
  const [only] = requests
  if (only === undefined) throw new Error('refused')
  return only
}

describe('the text on how far a list was sent', () => {
  it('says that nothing was sent before the first request is handed over', () => {
    expect(createSubmitProgress().text()).toBe('Nothing was sent.')
  })

  it('says that some requests may have been written before the first acknowledgement', () => {
    const progress = createSubmitProgress()
    progress.taken(requestAt(2, 'r1'))
    expect(progress.text()).toMatch(/^No request was acknowledged; some may have.* Send the same list again/)
  })

  it('says to send the same list again where every request has an id', () => {
    const progress = createSubmitProgress()
    progress.taken(requestAt(2, 'r1'))
    progress.taken(requestAt(3, 'r2'))
    progress.sent(2, 3n)
    progress.taken(requestAt(4, 'r3'))
    expect(progress.text()).toMatch(/^2 requests were acknowledged, up to line 3;.* Send the same list again/)
  })

  it('says which lines not to send again where a request has no id', () => {
    const progress = createSubmitProgress()
    progress.taken(requestAt(2, 'r1'))
    progress.taken(requestAt(3, undefined))
    expect(progress.text()).toMatch(
      /Look into the topic before you send them again: 1 so far name no requestId/,
    )
    progress.sent(2, 3n)
    expect(progress.text()).toMatch(
      /up to line 3;.* Send the lines after it again, not those before: 1 so far/,
    )
  })
})
