import type { IncomingMessage, OutgoingHttpHeaders } from 'node:http'
import { firstValueFrom } from 'rxjs'
import { holdReason, holdReasonRule, type RouteHold, routeIdOf } from '../domain/route-hold'
import { type RouteControl, TransientError } from '../ports'
import { readJsonBody } from './json-body'
import { createTokenCheck } from './token'

export interface Reply {
  readonly status: number
  readonly body: unknown
  readonly headers?: OutgoingHttpHeaders
}

/** Answers a request for one of the paths that change state; null: this is none of them. */
export type Mutations = (request: IncomingMessage, path: string) => Promise<Reply> | null

export interface MutationDeps {
  /** null: everything here is off. */
  readonly token: string | null
  /** null: not yet, the database has not been reached. */
  readonly routes: () => RouteControl | null
  /** Told of every change that was made. */
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
 * token comes first: whoever has none learns nothing but that one is needed.
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
