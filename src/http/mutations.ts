/** The paths that change state: their bearer token, their JSON body, and what they do. */
import { createHash, timingSafeEqual } from 'node:crypto'
import type { IncomingMessage, OutgoingHttpHeaders } from 'node:http'
import { firstValueFrom } from 'rxjs'
import { holdReason, holdReasonRule, type RouteHold, routeIdOf } from '../domain/route'
import { TransientError } from '../ports/errors'
import type { RouteControl } from '../ports/journal'

/** A body is read up to this size, bytes. */
const maxBytes = 16 * 1024

export type JsonBody =
  | { readonly kind: 'read'; readonly fields: Readonly<Record<string, unknown>> }
  | { readonly kind: 'refused'; readonly status: 400 | 413 | 415; readonly error: string }

const refused = (status: 400 | 413 | 415, error: string): JsonBody => ({ kind: 'refused', status, error })

const bytesOf = async (request: IncomingMessage): Promise<Buffer | null> => {
  const pieces: Buffer[] = []
  let size = 0
  for await (const piece of request) {
    const bytes: Buffer = piece
    size += bytes.byteLength
    if (size > maxBytes) return null
    pieces.push(bytes)
  }
  return Buffer.concat(pieces)
}

/** The fields of the JSON object in a request's body. A request without a body has none. */
const readJsonBody = async (request: IncomingMessage): Promise<JsonBody> => {
  if (Number(request.headers['content-length'] ?? 0) > maxBytes) return refused(413, 'the body is too large')
  const bytes = await bytesOf(request)
  if (bytes === null) return refused(413, 'the body is too large')
  if (bytes.byteLength === 0) return { kind: 'read', fields: {} }
  // A form on another site can send text or form fields, but no JSON.
  if (!/^application\/json\s*(;|$)/i.test(request.headers['content-type'] ?? ''))
    return refused(415, 'the body must be application/json')
  try {
    const value: unknown = JSON.parse(bytes.toString('utf8'))
    if (typeof value === 'object' && value !== null && !Array.isArray(value))
      return { kind: 'read', fields: { ...value } }
  } catch {
    return refused(400, 'the body is not JSON')
  }
  return refused(400, 'the body must be a JSON object')
}

/** `off`: no token is configured, so none can be right. */
export type TokenVerdict = 'right' | 'wrong' | 'off'

/** Judges the value of an Authorization header. */
export type TokenCheck = (authorization: string | undefined) => TokenVerdict

const digest = (text: string): Buffer => createHash('sha256').update(text).digest()

/**
 * Compares bearer tokens by their hashes, in constant time. The hashes have one length, and the time does not tell how
 * near a guess is.
 */
export const createTokenCheck = (token: string | null): TokenCheck => {
  if (token === null) return () => 'off'
  const expected = digest(token)
  return authorization => {
    const given = /^Bearer +(\S+) *$/i.exec(authorization ?? '')?.[1]
    return given !== undefined && timingSafeEqual(digest(given), expected) ? 'right' : 'wrong'
  }
}

export interface Reply {
  readonly status: number
  readonly body: unknown
  readonly headers?: OutgoingHttpHeaders
}

/** Answers a request for one of the paths that change state. Gives null for any other path. */
export type Mutations = (request: IncomingMessage, path: string) => Promise<Reply> | null

export interface MutationDeps {
  /** null: nothing can be changed over HTTP. */
  readonly token: string | null
  /** Gives null while the database has not been reached yet. */
  readonly routes: () => RouteControl | null
  /** Called for every change that was made; `from` is the address of the caller. */
  readonly onChange: (hold: RouteHold, from: string | null) => void
}

const error = (status: number, text: string, headers?: OutgoingHttpHeaders): Reply => ({
  status,
  body: { error: text },
  headers: { connection: 'close', ...headers },
})

const unavailable = (text: string): Reply => error(503, text, { 'retry-after': '2' })

type Action = 'hold' | 'release'

/**
 * `POST /api/routes/:id/hold` (`{"reason": "…"}`, which may be left out) and `…/release`, with the bearer token. The
 * token is checked first, so a caller without one learns only that it is needed.
 */
export const createMutations = ({ token, routes, onChange }: MutationDeps): Mutations => {
  const check = createTokenCheck(token)

  const refusal = ({ method, headers }: IncomingMessage): Reply | null => {
    if (method !== 'POST') return error(405, 'use POST', { allow: 'POST' })
    const verdict = check(headers.authorization)
    if (verdict === 'off') return error(403, 'HTTP_TOKEN is not set: nothing can be changed over HTTP')
    if (verdict === 'wrong')
      return error(401, 'the bearer token of HTTP_TOKEN is needed', { 'www-authenticate': 'Bearer' })
    return null
  }

  const change = async (
    action: Action,
    id: string,
    reason: string | null,
    from: string | null,
  ): Promise<Reply> => {
    const routeId = routeIdOf(id)
    if (routeId === null) return error(404, 'there is no such route')
    const control = routes()
    if (control === null) return unavailable('the database has not been reached yet: ask again')
    try {
      const work = action === 'hold' ? control.hold(routeId, reason) : control.release(routeId)
      const hold = await firstValueFrom(work)
      if (hold === null) return error(404, 'there is no such route')
      if (hold.heldAt !== null || hold.wasHeld) onChange(hold, from)
      return { status: 200, body: hold }
    } catch (failure) {
      if (failure instanceof TransientError) return unavailable('the database cannot be reached: ask again')
      throw failure
    }
  }

  const reply = async (request: IncomingMessage, id: string, action: Action): Promise<Reply> => {
    const refused = refusal(request)
    if (refused !== null) return refused
    const from = request.socket.remoteAddress ?? null
    const body = await readJsonBody(request)
    if (body.kind === 'refused') return error(body.status, body.error)
    const given = body.fields.reason ?? null
    if (given === null) return change(action, id, null, from)
    const reason = typeof given === 'string' ? holdReason(given) : null
    return reason === null ? error(400, holdReasonRule) : change(action, id, reason, from)
  }

  return (request, path) => {
    const [, id, action] = /^\/api\/routes\/([^/]+)\/(hold|release)$/.exec(path) ?? []
    return id === undefined ? null : reply(request, id, action === 'hold' ? 'hold' : 'release')
  }
}
