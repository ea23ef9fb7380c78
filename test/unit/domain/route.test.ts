import { holdReason, routeIdOf } from '../../../src/domain/route'

describe('holdReason', () => {
  it.each([
    ['target is full', 'target is full'],
    ['  trimmed ', 'trimmed'],
    ['x'.repeat(256), 'x'.repeat(256)],
    ['', null],
    [' ', null],
    ['x'.repeat(257), null],
    ['a\u001b[31m', null],
    ['a\nb', null],
    ['a\u202eb', null],
  ])('reads %j as %j', (text, reason) => {
    expect(holdReason(text)).toBe(reason)
  })
})

describe('routeIdOf', () => {
  it.each([
    ['1', 1],
    ['2147483647', 2_147_483_647],
    ['2147483648', null],
    ['99999999999', null],
    ['0', null],
    ['-1', null],
    ['1.5', null],
    ['1e3', null],
    ['01', null],
    ['1;drop', null],
    ['', null],
  ])('reads %j as %j', (text, id) => {
    expect(routeIdOf(text)).toBe(id)
  })
})
