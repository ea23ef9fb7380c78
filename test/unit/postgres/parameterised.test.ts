import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import ts from 'typescript'

const folder = join(__dirname, '../../../src/postgres')

/**
 * What may stand inside `${…}` of a statement: constants of the code, each looked at. Nothing here comes from outside;
 * what does is a parameter ($1, $2, …). The architecture check keeps every other folder from using the driver.
 */
const constants: Readonly<Record<string, readonly string[]>> = {
  'claim/after-restore.ts': ["looksLikeForgotten('f', 'r')"],
  'claim/claim-range.ts': ['moveColumns', "moveColumnsOf('m')", "unfinished('j')", 'name', 'value'],
  'claim/claim.ts': ['creating', "lookAlike('b', 'r')"],
  'claim/unfinished-work.ts': [
    'moveColumns',
    "moveColumnsOf('q')",
    "unfinished('j')",
    "unfinished('b')",
    "lookAlike('b', 'r')",
    "lookAlike('br', 'r')",
    'creating',
    'a',
    'b',
  ],
  'claim/told-moves.ts': ["looksLikeForgotten('f', 'r')", 'moveColumns', "moveColumnsOf('m')"],
  'intake/append-moves.ts': ['moveColumns', 'routeColumns', 'movesPerAcceptance', 'indexed'],
  'intake/intake-journal.ts': ['names', 'stored', 'parameters', 'notifyChange'],
  'job/cancel-moves.ts': ['sliceMoves', "unfinished('j')", 'notifyChange'],
  'job/evidence.ts': ['column'],
  'job/forgotten-jobs.ts': ["looksLikeForgotten('f', 'r')", 'notifyChange'],
  'job/job-row.ts': ['jobColumns', 'routeColumns'],
  'job/resolve-forgotten.ts': ['notifyChange'],
  'job/resolve-job.ts': ['notifyChange'],
  'job/route-hold.ts': ['returning', 'notifyChange', 'nextTry', "unfinished('j')"],
  'job/untold.ts': ['routeColumns', "unfinished('j')"],
  'job/store-settlement.ts': ['moveColumns', "moveColumnsOf('m')", 'notifyChange'],
  'lease/lease-rows.ts': ['newExpiry', 'nextEpoch'],
  'outbox/outbox.ts': ['routeColumns', 'outcomeBytes', 'moveOutcomeColumns', 'rejectionColumns', 'maxRows'],
  'outbox/final-outcomes.ts': ['moveOutcomeColumns', 'rejectionColumns', 'pageSize'],
  'session/analyst-role.ts': ['analystRole'],
  'shared-sql.ts': ['alias', 'name', 'job', 'route', 'columns', 'values'],
  'status/read-forgotten.ts': ["looksLikeForgotten('f', 'r')"],
  'status/read-look-ups.ts': ["unfinished('job')"],
  'status/read-open-jobs.ts': ["unfinished('job')"],
  'status/read-overdue-jobs.ts': ["unfinished('job')"],
  'status/read-routes.ts': ["unfinished('job')", "unfinished('j')"],
  'status/run-summary.ts': ["unfinished('j')"],
}

const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter(name => name.endsWith('.ts'))
const sourceOf = (name: string): ts.SourceFile =>
  ts.createSourceFile(name, readFileSync(join(folder, name), 'utf8'), ts.ScriptTarget.Latest, true)

const every = (node: ts.Node): ts.Node[] => [node, ...node.getChildren().flatMap(every)]

/** A text that begins like a statement, or that is a part of one: a column or a condition of a table given by alias. */
const isSql = (text: string): boolean =>
  /^\s*`?\s*(select|insert|update|delete|with|create|grant|set|returning|listen|truncate|alter|begin|drop)\b/i.test(
    text,
  ) || /\$\{\w+\}\.(\w+\s*(=|not in)|\$\{)/.test(text)

const insertions = (name: string): string[] =>
  every(sourceOf(name))
    .filter(ts.isTemplateExpression)
    .filter(template => isSql(template.getText().slice(1)))
    .flatMap(template => template.templateSpans.map(span => span.expression.getText()))

/** First arguments of `….query(…)` that are not written as one text. */
const computedQueries = (name: string): string[] =>
  every(sourceOf(name))
    .filter(ts.isCallExpression)
    .filter(({ expression }) => ts.isPropertyAccessExpression(expression) && expression.name.text === 'query')
    .map(call => call.arguments[0])
    .filter(text => text !== undefined)
    .filter(text => !ts.isStringLiteralLike(text) && !ts.isTemplateExpression(text) && !ts.isIdentifier(text))
    .map(text => text.getText())

describe('SQL in src/postgres:', () => {
  it.each(files)('%s puts only constants into a statement', name => {
    expect(insertions(name).filter(text => !(constants[name] ?? []).includes(text))).toEqual([])
  })

  it.each(files)('%s queries only with statements written as one text', name => {
    expect(computedQueries(name)).toEqual([])
  })

  it('allows no insertion that is no longer used', () => {
    const stale = Object.entries(constants).flatMap(([name, allowed]) => {
      const used = files.includes(name) ? insertions(name) : []
      return allowed.filter(text => !used.includes(text)).map(text => `${name}: ${text}`)
    })
    expect(stale).toEqual([])
  })
})
