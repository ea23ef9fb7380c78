import { without } from '../../../src/commands/move/follow-list'

describe('the progress of a list in a database that has worked on others', () => {
  it('leaves out what had ended of the others, and still adds up', () => {
    const counts = { accepted: 21, moved: 9, failed: 2, rejected: 2, superseded: 1, duplicate: 2 }
    const open = { pending: 1, in_flight: 2, retrying: 1, held: 1, gap: 0 }
    const ended = { moved: 4, failed: 1, rejected: 2, superseded: 1, duplicate: 1 }
    const own = without({ ...counts, ...open }, { lists: 1, ended })
    const ownEnded = { moved: 5, failed: 1, rejected: 0, superseded: 0, duplicate: 1 }
    expect(own).toEqual({ accepted: 12, ...ownEnded, ...open })
    const { accepted, ...others } = own
    expect(Object.values(others).reduce((sum, count) => sum + count, 0)).toBe(accepted)
  })
})
