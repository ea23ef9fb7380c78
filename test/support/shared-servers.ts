/** What global setup hands to global teardown. Jest loads the two apart, so a variable of a module would not do. */
export interface SharedServers {
  stop(): Promise<void>
}

const key = Symbol.for('device-move.test.shared-servers')
const place = globalThis as { [key]?: SharedServers }

export const keepSharedServers = (servers: SharedServers): void => {
  place[key] = servers
}

export const stopSharedServers = async (): Promise<void> => {
  const servers = place[key]
  delete place[key]
  await servers?.stop()
}
