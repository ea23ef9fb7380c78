import { lookAt } from '../../chaos/progress'

describe('a look at the database during a chaos run', () => {
  const counts = { accepted: 2, moved: 2 }

  it('gives the counts and how much is unpublished', async () => {
    const look = { conservation: async () => counts, unpublished: async () => 1 }
    expect(await lookAt(look)).toEqual({ counts, unpublished: 1 })
  })

  it('gives nothing when the database goes away between its two questions', async () => {
    const away = async () => Promise.reject(new Error('the connection was closed'))
    expect(await lookAt({ conservation: async () => counts, unpublished: away })).toBeNull()
  })
})
