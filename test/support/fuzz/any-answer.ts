import fc from 'fast-check'
import { anyJsonText, anyText, asBytes, damaged } from './json-text'

/** An answer of the provider, or of a proxy in front of it. */
export interface ProviderAnswer {
  readonly status: number
  readonly contentType: string
  readonly body: Uint8Array
  /** Number of bytes of the body after which the connection breaks; null: it never breaks. */
  readonly cutAfter: number | null
}

const codes = [
  'Throttling',
  'Throttling.User',
  'ServiceUnavailable',
  'iot.system.SystemException',
  'iot.distribute.JobCountExceeded',
  'iot.system.InstanceNotFound',
  'iot.device.NotExistedDevice',
  'iot.prod.NotExistedProduct',
  'Forbidden.RAM',
  'InvalidAccessKeyId.NotFound',
  'SignatureDoesNotMatch',
  'SignatureNonceUsed',
  'ECONNREFUSED',
  'ENOTFOUND',
  'success',
  '200',
]
const codeText = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom(...codes).map(code => JSON.stringify(code)) },
  anyJsonText,
)
const successText = fc.oneof(
  { weight: 8, arbitrary: fc.constantFrom('true', 'false', '"true"', '"True"', '"false"', '"FALSE"') },
  { weight: 2, arbitrary: fc.constantFrom('1', '0', '"1"', '"yes"', 'null', '[]', '[true]', '{}') },
  { weight: 1, arbitrary: anyJsonText },
)
const idText = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom('"Ubms0001"', '"00123"', '123', '""', '" "', 'null') },
  anyJsonText,
)
const fieldTexts: Readonly<Record<string, fc.Arbitrary<string>>> = {
  JobId: idText,
  Status: fc.constantFrom('"0"', '1', '"2"', '3', '7', '-1', '1.5', 'null'),
  ProductKey: fc.constantFrom('"a1BwAGVexmp"', '""', '7'),
  SourceInstanceId: fc.constantFrom('"iot-source"', 'null'),
  Strategy: fc.constantFrom('0', '1', '"1"', '2e0', '"x"'),
  Total: fc.constantFrom('10', '"10"', '-3', '1e999', 'null'),
  GmtCreate: fc.constantFrom('1581595942000', '"1581595942000"', '1e21', '"yesterday"'),
  TargetUid: fc.constantFrom('9984000000000000001', '"9984000000000000001"', 'null'),
  TargetInstanceConfigs: fc.constantFrom(
    '{"targetInstanceConfigs":[{"TargetInstanceId":"iot-a"}]}',
    '[{"TargetInstanceId":"iot-a"},null,7]',
    '"iot-a"',
    'null',
  ),
  TargetIotInstanceId: fc.constantFrom('"iot-a"', '""', 'null', '7'),
  DeviceName: fc.constantFrom('"meter-0001"', '"meter-0002"', 'null'),
}

/** Members of a job: mostly all documented fields, otherwise some of them. */
const members: fc.Arbitrary<string> = fc
  .tuple(
    fc.oneof(
      { weight: 3, arbitrary: fc.constant(Object.keys(fieldTexts)) },
      fc.subarray(Object.keys(fieldTexts)),
    ),
    fc.tuple(...Object.values(fieldTexts)),
  )
  .map(([kept, values]) =>
    Object.keys(fieldTexts)
      .flatMap((name, index) => (kept.includes(name) ? [`"${name}":${values[index] ?? 'null'}`] : []))
      .join(','),
  )

const data = fc.oneof(
  { weight: 4, arbitrary: members.map(text => `{${text}}`) },
  {
    weight: 4,
    arbitrary: fc
      .tuple(
        fc.array(members, { maxLength: 3 }),
        fc.constantFrom('"Total":2,', '"Total":"0",', '', '"Total":null,'),
      )
      .map(
        ([jobs, total]) =>
          `{${total}"NextToken":"","JobInfo":{"items":[${jobs.map(text => `{${text}}`).join(',')}]}}`,
      ),
  },
  { weight: 1, arbitrary: anyJsonText },
)

const document: fc.Arbitrary<string> = fc
  .tuple(
    successText,
    codeText,
    fc.oneof(anyText, fc.constant('The access key secret is n0t/a+secret')),
    idText,
    fc.constantFrom('"http://127.0.0.1/f?Signature=secret"', '"ftp://x"', 'null', '7', '""'),
    data,
    fc.subarray(['Success', 'Code', 'ErrorMessage', 'Message', 'JobId', 'File', 'Data', 'RequestId']),
    fc.boolean(),
  )
  .map(([success, code, message, jobId, file, inner, some, whole]) => {
    const fields: Readonly<Record<string, string>> = {
      Success: success,
      Code: code,
      ErrorMessage: JSON.stringify(message),
      Message: JSON.stringify(message),
      JobId: jobId,
      File: file,
      Data: inner,
      RequestId: '"E55E50B7"',
    }
    const kept = whole ? Object.keys(fields) : some
    return `{${kept.map(name => `"${name}":${fields[name] ?? 'null'}`).join(',')}}`
  })

const body = fc.oneof(
  { weight: 12, arbitrary: document.map(text => Buffer.from(text)) },
  { weight: 3, arbitrary: asBytes(damaged(document)) },
  { weight: 2, arbitrary: asBytes(anyJsonText) },
  {
    weight: 1,
    arbitrary: fc.constantFrom('', '<html>502</html>', 'OK', 'null', '[]').map(text => Buffer.from(text)),
  },
  { weight: 1, arbitrary: fc.uint8Array({ maxLength: 200 }) },
)

export const anyAnswer: fc.Arbitrary<ProviderAnswer> = fc.record({
  status: fc.oneof(
    { weight: 4, arbitrary: fc.constant(200) },
    fc.constantFrom(201, 204, 301, 400, 401, 403, 404, 413, 429, 500, 502, 503, 504),
  ),
  contentType: fc.constantFrom(
    'application/json',
    'application/json;charset=utf-8',
    'text/html',
    'text/xml',
    '',
  ),
  body,
  cutAfter: fc.oneof({ weight: 12, arbitrary: fc.constant(null) }, fc.nat({ max: 60 })),
})
