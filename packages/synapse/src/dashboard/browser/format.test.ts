import { describe, expect, it } from 'vitest';
import {
  bytes,
  count,
  counted,
  duration,
  latency,
  levelOf,
  percent,
  rate,
  roughly,
  tickText,
} from './format.js';

describe('percent', () => {
  it.each([
    [null, '–'],
    [undefined, '–'],
    [1, '100 %'],
    [0, '0 %'],
    [0.99999, '99.99 %'],
    [0.9999999999, '99.99 %'],
    [0.99, '99.00 %'],
    [0.9899, '98.9 %'],
    [0.5, '50.0 %'],
    [0.333, '33.3 %'],
    [0.05, '5.0 %'],
    [0.0005, '< 0.1 %'],
  ])('%j is %s: nothing is rounded up to all', (share, text) => expect(percent(share)).toBe(text));
});

describe('rate', () => {
  it.each([
    [0, '0'],
    [0.001, '< 0.01'],
    [0.5, '0.50'],
    [7.25, '7.3'],
    [99.94, '99.9'],
    [99.96, '100'],
    [1234.4, '1,234'],
    [9999.6, '10.0k'],
    [54321, '54.3k'],
    [1.5e6, '1.50M'],
  ])('%d is %s', (value, text) => expect(rate(value)).toBe(text));
});

describe('latency', () => {
  it.each([
    [null, '–'],
    [0.00042, '0.42 ms'],
    [0.000996, '1.0 ms'],
    [0.0046, '4.6 ms'],
    [0.09996, '100 ms'],
    [0.9996, '1.00 s'],
    [1.234, '1.23 s'],
    [9.996, '10.0 s'],
    [12.34, '12.3 s'],
  ])('%j s is %s', (seconds, text) => expect(latency(seconds)).toBe(text));

  it('tells nothing apart above the last bound', () => {
    expect(latency(10, 10)).toBe('> 10 s');
    expect(latency(9.9, 10)).toBe('9.90 s');
  });
});

describe('other numbers', () => {
  it.each([
    [0, '0 B'],
    [999, '999 B'],
    [1_000, '1.0 kB'],
    [999_600, '1.0 MB'],
    [5_500_000, '5.5 MB'],
    [3e18, '3000 PB'],
  ])('%d bytes are %s', (value, text) => expect(bytes(value)).toBe(text));

  it.each([
    [-5, '0 s'],
    [400, '0 s'],
    [61_000, '1 min 1 s'],
    [3_600_000, '1 h'],
    [3_605_000, '1 h'],
    [90_061_000, '1 d 1 h'],
  ])('%d ms are %s', (ms, text) => expect(duration(ms)).toBe(text));

  it('says them roughly, grouped, and in the plural', () => {
    expect(roughly(134_000)).toBe('2 min');
    expect(roughly(4_000)).toBe('4 s');
    expect(count(1_234_567)).toBe('1,234,567');
    expect([counted(1, 'server'), counted(0, 'server')]).toEqual(['1 server', '0 servers']);
  });

  it.each([
    ['0.00 ms', '0 ms'],
    ['60.0/s', '60/s'],
    ['99.50 %', '99.5 %'],
    ['100 ms', '100 ms'],
    ['2.50 s', '2.5 s'],
    ['1,000/s', '1,000/s'],
    ['10.0k/s', '10k/s'],
  ])('%s on an axis is %s', (text, short) => expect(tickText(text)).toBe(short));

  it('judges shares of successes', () => {
    expect([null, 1, 0.99, 0.98, 0.949].map(levelOf)).toEqual(['none', 'good', 'good', 'fair', 'bad']);
  });
});
