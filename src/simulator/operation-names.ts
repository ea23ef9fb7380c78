/** Our short names of the provider's operations. */
export const actions = {
  create: 'CreateDeviceDistributeJob',
  query: 'QueryDeviceDistributeJob',
  list: 'ListDeviceDistributeJob',
  detail: 'QueryDeviceDistributeDetail',
  delete: 'DeleteDeviceDistributeJob',
  provisioning: 'QueryDeviceProvisioning',
} as const

export type Operation = keyof typeof actions

export const operations = Object.keys(actions) as readonly Operation[]

export const operationOf = (action: string): Operation | undefined =>
  operations.find(operation => actions[operation] === action)
