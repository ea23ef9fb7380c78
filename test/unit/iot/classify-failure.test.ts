import { createScrub } from '../../../src/iot/client/answer-fields'
import { createFailureClassifier, defaultSlotsFullCodes } from '../../../src/iot/client/failure-codes'

const classify = createFailureClassifier(createScrub(['LTAI5tKEYID', 's3cret/+key']), defaultSlotsFullCodes)

const answered = (statusCode: number, body: object): Error =>
  Object.assign(new Error('code: 400, … request id: …'), { code: 'undefined', data: { ...body, statusCode } })
const silent = (
  fields: object,
  message = 'Connect https://iot.aliyuncs.com/?AccessKeyId=LTAI5tKEYID failed.',
): Error => Object.assign(new Error(message), fields)

describe('the classifier of failed calls', () => {
  it('takes code and message of a refusal from the answer', () => {
    const body = { Success: false, Code: 'iot.prod.NotExistedProduct', ErrorMessage: 'no such product' }
    expect(classify.ofAnswer(body)).toEqual({
      ok: false,
      kind: 'batch-refused',
      code: 'iot.prod.NotExistedProduct',
      message: 'no such product',
    })
  })

  it('takes only listed codes for "too many jobs"', () => {
    const ofCode = (code: string, codes = defaultSlotsFullCodes) =>
      createFailureClassifier(createScrub([]), codes).ofAnswer({ Code: code }).kind
    expect(ofCode('iot.distribute.jobcountexceeded')).toBe('slots-full')
    expect(ofCode('iot.distribute.JobCountExceeded', [])).toBe('unknown')
    expect(ofCode('iot.distribute.TooMany')).toBe('unknown')
    expect(ofCode('iot.distribute.TooMany', ['iot.distribute.TooMany'])).toBe('slots-full')
  })

  it('calls an answer without a code unknown', () => {
    expect(classify.ofAnswer({ Success: false })).toMatchObject({ kind: 'unknown', code: 'unknown' })
  })

  it.each([
    [answered(400, { Code: 'Throttling.User', Message: 'flow control' }), 'throttled', 'Throttling.User'],
    [answered(429, { Code: 'Busy' }), 'throttled', 'Busy'],
    [answered(429, {}), 'throttled', 'http-429'],
    [answered(503, { Code: 'ServiceUnavailable' }), 'unanswered', 'ServiceUnavailable'],
    [answered(500, { Code: 'NewTrouble' }), 'unanswered', 'NewTrouble'],
    [answered(502, {}), 'unanswered', 'http-502'],
    [answered(403, { Code: 'Forbidden.RAM' }), 'account-refused', 'Forbidden.RAM'],
    [answered(400, { Code: 'SignatureDoesNotMatch' }), 'account-refused', 'SignatureDoesNotMatch'],
    [answered(404, { Code: 'InvalidSomething' }), 'unknown', 'InvalidSomething'],
    [answered(400, { code: 'iot.prod.X' }), 'batch-refused', 'iot.prod.X'],
    [silent({ code: 'ECONNREFUSED' }), 'not-sent', 'ECONNREFUSED'],
    [silent({ code: 'ENOTFOUND' }), 'not-sent', 'ENOTFOUND'],
    [silent({ code: 'ECONNRESET' }), 'unanswered', 'ECONNRESET'],
    [silent({ name: 'RequestTimeoutError' }), 'unanswered', 'RequestTimeoutError'],
    [silent({ code: 'InvalidCredentials' }), 'account-refused', 'InvalidCredentials'],
    [silent({ code: 'iot.prod.X' }), 'unanswered', 'iot.prod.X'],
    [new SyntaxError('Unexpected token <'), 'unanswered', 'SyntaxError'],
    ['thrown text', 'unanswered', 'unknown'],
    [null, 'unanswered', 'unknown'],
  ])('classifies error %# of those that the client throws', (error, kind, code) => {
    expect(classify.ofError(error)).toMatchObject({ ok: false, kind, code })
  })

  it('never calls an answered call not sent, whatever its code is', () => {
    expect(classify.ofAnswer({ Code: 'ECONNREFUSED' })).toMatchObject({ kind: 'unknown' })
    expect(classify.ofError(answered(400, { Code: 'ENOTFOUND' }))).toMatchObject({ kind: 'unknown' })
    expect(classify.ofError(answered(502, { Code: 'ECONNREFUSED' }))).toMatchObject({ kind: 'unanswered' })
  })

  it('always gives a reason', () => {
    expect(classify.ofAnswer({ Code: 'X', Message: '\u0000' })).toMatchObject({ message: 'no reason given' })
  })

  it('repeats neither URL nor secret', () => {
    const message =
      'server string is LTAI5tKEYID&s3cret/+key https://x.aliyuncs.com/a?Signature=abc&Expires=1 end'
    const failures = [
      classify.ofError(silent({ code: 'ECONNRESET' })),
      classify.ofError(answered(400, { Code: 'SignatureDoesNotMatch', Message: message })),
      classify.ofAnswer({ Code: 'LTAI5tKEYID', ErrorMessage: message }),
    ]
    for (const text of failures.flatMap(({ code, message }) => [code, message])) {
      expect(text).not.toMatch(/LTAI5tKEYID|s3cret|abc|Expires/)
    }
    expect(failures[1]?.message).toContain('https://x.aliyuncs.com/a end')
  })
})
