import { createTokenCheck } from '../../../src/http/mutations'

const token = 'k7Q-right-token_0123456789'

describe('the bearer token', () => {
  const check = createTokenCheck(token)

  it.each([`Bearer ${token}`, `bearer ${token}`, `Bearer  ${token} `])('is right: %j', header => {
    expect(check(header)).toBe('right')
  })

  it.each([
    undefined,
    '',
    'Bearer',
    'Bearer ',
    token,
    `Basic ${token}`,
    `Bearer ${token}x`,
    `Bearer ${token.slice(1)}`,
    `Bearer ${token} ${token}`,
    'Bearer null',
    'Bearer undefined',
  ])('is wrong: %j', header => {
    expect(check(header)).toBe('wrong')
  })

  it.each([undefined, '', 'Bearer null', 'Bearer ', `Bearer ${token}`])('is off without one: %j', header => {
    expect(createTokenCheck(null)(header)).toBe('off')
  })
})
