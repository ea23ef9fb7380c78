/** Cuts SQL into its statements, each in a plain form in which patterns can be looked for. */

/** What may hold a semicolon or a keyword that is none: comments, strings, quoted names, dollar-quoted bodies. */
const opaque =
  /--[^\n]*|\/\*[\s\S]*?\*\/|e'(?:[^'\\]|''|\\[\s\S])*'|'(?:[^']|'')*'|"(?:[^"]|"")*"|(\$\w*\$)[\s\S]*?\1/gi

/** Comments are taken out, strings and bodies are emptied, names lose their quotes. */
const plain = (piece: string): string => {
  if (piece.startsWith('--') || piece.startsWith('/*')) return ' '
  if (piece.startsWith('"')) return piece.slice(1, -1).replace(/\W/g, '_')
  return piece.startsWith('$') ? '$$' : `''`
}

/** The statements of a script: in lower case, with single spaces, without comments and the contents of strings. */
export const statementsOf = (sql: string): string[] =>
  sql
    .replace(opaque, plain)
    .split(';')
    .map(statement => statement.replace(/\s+/g, ' ').trim().toLowerCase())
    .filter(statement => statement !== '')

/** The parts of a list that are separated by commas outside of parentheses. */
export const partsOf = (list: string): string[] => {
  const parts: string[] = []
  let depth = 0
  let from = 0
  for (let at = 0; at <= list.length; at += 1) {
    const character = list[at]
    if (character === '(') depth += 1
    if (character === ')') depth -= 1
    if (at < list.length && (character !== ',' || depth > 0)) continue
    parts.push(list.slice(from, at).trim())
    from = at + 1
  }
  return parts
}
