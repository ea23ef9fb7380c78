/** What the simulator answers over HTTP, in the forms of the provider's gateway. */
export interface Answer {
  readonly status: number
  readonly contentType: string
  readonly body: string
}

export const json = (status: number, value: unknown): Answer => ({
  status,
  contentType: 'application/json;charset=utf-8',
  body: JSON.stringify(value),
})

export interface GatewayError {
  readonly status: number
  readonly code: string
  readonly message: string
}

/** The answer of the gateway when it refuses a call before the operation runs: 4xx or 5xx with these five fields. */
export const gatewayAnswer = (error: GatewayError, requestId: string, host: string): Answer =>
  json(error.status, {
    RequestId: requestId,
    HostId: host,
    Code: error.code,
    Message: error.message,
    Recommend: `https://api.aliyun.com/troubleshoot?q=${error.code}`,
  })

/** The answer of an operation. A business failure is HTTP 200 too. */
export type Result =
  | { readonly ok: true; readonly fields: Readonly<Record<string, unknown>> }
  | { readonly ok: false; readonly code: string; readonly message: string }

export const failure = (code: string, message: string): Result => ({ ok: false, code, message })

export const resultAnswer = (result: Result, requestId: string): Answer =>
  json(
    200,
    result.ok
      ? { RequestId: requestId, Success: true, Code: '', ...result.fields }
      : { RequestId: requestId, Success: false, Code: result.code, ErrorMessage: result.message },
  )

/** The answer of a proxy in front of the gateway when it cannot reach it. */
export const htmlAnswer = (status: number, title: string): Answer => ({
  status,
  contentType: 'text/html',
  body: `<html>\r\n<head><title>${status} ${title}</title></head>\r\n<body>\r\n<center><h1>${status} ${title}</h1></center>\r\n</body>\r\n</html>\r\n`,
})
