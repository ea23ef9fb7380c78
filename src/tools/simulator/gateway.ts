import { randomUUID } from 'node:crypto'
import type { Account } from './account'
import {
  type Answer,
  type GatewayError,
  gatewayAnswer,
  htmlAnswer,
  type Result,
  resultAnswer,
} from './answer'
import type { AuditBook } from './audit'
import { type Operation, operationOf } from './call'
import type { Fault, FaultSource } from './faults'
import type { CallContext, OperationHandler } from './operations/call-context'
import { createOperation } from './operations/create'
import {
  deleteOperation,
  detailOperation,
  listOperation,
  provisioningOperation,
  queryOperation,
} from './operations/read-jobs'
import type { QuotaWindow } from './quota-window'
import { createSignatureCheck, type ReceivedCall } from './signature'

const VERSION = '2018-01-20'

/** The code of each operation. */
export const handlers: Readonly<Record<Operation, OperationHandler>> = {
  create: createOperation,
  query: queryOperation,
  list: listOperation,
  detail: detailOperation,
  delete: deleteOperation,
  provisioning: provisioningOperation,
}

/** What happens to the connection. `delayMs` comes on top of the latency that every answer has. */
export type Reaction =
  | { readonly kind: 'answer'; readonly answer: Answer; readonly delayMs: number }
  | { readonly kind: 'cut' }

export interface GatewayDeps {
  readonly account: Account
  readonly window: QuotaWindow<Operation>
  readonly audit: AuditBook
  readonly faults: FaultSource
}

const throttled: GatewayError = {
  status: 400,
  code: 'Throttling.User',
  message: 'Request was denied due to user flow control.',
}

/** Turns a received call into a reaction: it checks the signature, then the quota, and runs the operation. */
export const createGateway = ({ account, window, audit, faults }: GatewayDeps) => {
  const check = createSignatureCheck(account.options)

  const answer = (answer: Answer, delayMs = 0): Reaction => ({ kind: 'answer', answer, delayMs })
  const refuse = (error: GatewayError, host: string): Reaction => {
    audit.refusal(error.code)
    return answer(gatewayAnswer(error, randomUUID().toUpperCase(), host))
  }

  const execute = (operation: Operation, context: CallContext): Result => {
    account.timeline.advance(context.at)
    const result = handlers[operation](account, context)
    if (!result.ok) audit.refusal(result.code)
    if (!result.ok && operation === 'create' && result.code === account.options.jobsFullCode)
      audit.slotRefusal()
    return result
  }

  /** What a fault makes of a call that the quota lets through; null: the call goes on. */
  const afterQuota = (
    fault: Fault,
    operation: Operation,
    context: CallContext,
    host: string,
  ): Reaction | null => {
    switch (fault.kind) {
      case 'server-error':
        if (fault.executed ?? true) execute(operation, context)
        return answer(htmlAnswer(fault.status ?? 502, 'Bad Gateway'))
      case 'gateway':
        return refuse({ message: fault.code, ...fault }, host)
      case 'business': {
        audit.refusal(fault.code)
        const result = { ok: false, code: fault.code, message: fault.message ?? fault.code } as const
        return answer(resultAnswer(result, randomUUID().toUpperCase()))
      }
      case 'lost-response':
        execute(operation, context)
        return { kind: 'cut' }
      case 'late':
        account.timeline.plan(context.at + fault.delayMs, at => execute(operation, { ...context, at }))
        return { kind: 'cut' }
      default:
        return null
    }
  }

  const admitted = (call: ReceivedCall, operation: Operation, fault: Fault | null, at: number): Reaction => {
    const host = call.headers.host ?? ''
    audit.call(operation)
    if (fault?.kind === 'throttled') {
      window.seen(operation, at)
      return refuse(throttled, host)
    }
    const breach = window.arrive(operation, at)
    if (breach !== null) {
      audit.breach(breach)
      return refuse(throttled, host)
    }
    const fate = fault?.kind === 'fate' ? fault.fate : {}
    const context = { params: new Map([...call.query, ...call.form]), at, origin: `http://${host}`, fate }
    const spoiled = fault === null ? null : afterQuota(fault, operation, context, host)
    if (spoiled !== null) return spoiled
    const result = execute(operation, context)
    return answer(
      resultAnswer(result, randomUUID().toUpperCase()),
      fault?.kind === 'slow' ? fault.delayMs : 0,
    )
  }

  return (call: ReceivedCall, at: number): Reaction => {
    const host = call.headers.host ?? ''
    const checked = check(call, at)
    if ('error' in checked) {
      audit.signatureFailure()
      return refuse(checked.error, host)
    }
    const operation = operationOf(checked.claim.action)
    if (operation === undefined) {
      const message = 'Specified api is not found, please check your url and method.'
      return refuse({ status: 404, code: 'InvalidAction.NotFound', message }, host)
    }
    if (checked.claim.version !== VERSION) {
      const message = 'Specified parameter Version is not valid.'
      return refuse({ status: 400, code: 'InvalidVersion', message }, host)
    }
    const fault = faults.next(operation)
    if (fault !== null) audit.fault(fault.kind)
    return fault?.kind === 'lost-request' ? { kind: 'cut' } : admitted(call, operation, fault, at)
  }
}

export type Gateway = ReturnType<typeof createGateway>
