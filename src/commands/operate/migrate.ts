/** `device-move migrate`: applies the migrations that are missing, and says which. */
import { migrate } from '../../postgres/session/migrations'
import { configured } from '../configured'
import { exitCode } from '../exit-code'
import { databaseProblem } from '../problems'

export const migrateCommand = async (): Promise<number> => {
  const { databaseUrl } = configured(['databaseUrl'])
  const url = databaseUrl ?? ''
  const { applied, advice } = await migrate(url, { log: line => console.error(line) }).catch(
    (error: unknown) => {
      throw databaseProblem(error, url)
    },
  )
  console.log(applied.length === 0 ? 'The schema is up to date.' : `Applied: ${applied.join(', ')}`)
  if (advice.length > 0)
    console.log(
      `An administrator of the database still has to run:\n${advice.map(line => `  ${line}`).join('\n')}`,
    )
  return exitCode.done
}
