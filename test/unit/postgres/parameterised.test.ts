import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import ts from 'typescript'

const folder = join(__dirname, '../../../src/postgres')

/**
 * What may stand inside `${…}` of a statement: constants of the code, each looked at. Nothing here comes from outside;
 * whatever does is a parameter ($1, $2, …). No other folder may use the driver: the
 * architecture check sees to that.
 */
const constants: Readonly<Record<string, readonly string[]>> = {
  'claim/claim-range.ts': ['name', 'value'],
  'claim/claim.ts': ["lookAlike('b', 'r')", "lookAlike('br', 'r')", 'a', 'b'],
  'claim/waiting-moves.ts': ['maxMoves'],
  'intake/append-moves.ts': ['movesPerAcceptance', 'indexed'],
  'job/evidence.ts': ['column'],
  'job/load-job.ts': ['routeColumns'],
  'job/route-hold.ts': ['returning'],
  'lease/lease-rows.ts': ['newExpiry'],
  'outbox/final-outcomes.ts': ['moveOutcomeColumns', 'rejectionColumns', 'pageSize'],
  'outbox/outbox.ts': ['outcomeBytes', 'moveOutcomeColumns', 'rejectionColumns', 'maxRows'],
  'outbox/read-outcomes.ts': ['routeColumns'],
  'route-rows.ts': ['routeColumns'],
  'session/migrations.ts': ['analystRole', 'table'],
}

const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter(name => name.endsWith('.ts'))
const sourceOf = (name: string): ts.SourceFile =>
  ts.createSourceFile(name, readFileSync(join(folder, name), 'utf8'), ts.ScriptTarget.Latest, true)

const every = (node: ts.Node): ts.Node[] => [node, ...node.getChildren().flatMap(every)]

/** A text that begins like a statement, or stands where a part of one is made. */
const isSql = (text: string): boolean =>
  /^\s*`?\s*(select|insert|update|delete|with|create|grant|set|returning|listen|truncate|alter|begin|drop)\b/i.test(
    text,
  ) || /\$\{\w+\}\.\w+\s*=/.test(text)

const insertions = (name: string): string[] =>
  every(sourceOf(name))
    .filter(ts.isTemplateExpression)
    .filter(template => isSql(template.getText().slice(1)))
    .flatMap(template => template.templateSpans.map(span => span.expression.getText()))

/** First arguments of `….query(…)` that are no constant text. */
const computedQueries = (name: string): string[] =>
  every(sourceOf(name))
    .filter(ts.isCallExpression)
    .filter(({ expression }) => ts.isPropertyAccessExpression(expression) && expression.name.text === 'query')
    .map(call => call.arguments[0])
    .filter(text => text !== undefined)
    .filter(text => !ts.isStringLiteralLike(text) && !ts.isTemplateExpression(text) && !ts.isIdentifier(text))
    .map(text => text.getText())

describe('SQL', () => {
  it.each(files)('%s puts only constants into a statement', name => {
    expect(insertions(name).filter(text => !(constants[name] ?? []).includes(text))).toEqual([])
  })

  it.each(files)('%s asks only what is written as one text', name => {
    expect(computedQueries(name)).toEqual([])
  })

  it('allows nothing that is no longer used', () => {
    const stale = Object.entries(constants).flatMap(([name, allowed]) => {
      const used = files.includes(name) ? insertions(name) : []
      return allowed.filter(text => !used.includes(text)).map(text => `${name}: ${text}`)
    })
    expect(stale).toEqual([])
  })
})
