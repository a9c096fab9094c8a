import { describe, expect, it } from 'vitest';
import { getChildrenType, getDataType } from './transportData.js';
import { ProtocolError, replyHeaderEnd } from './transportFrames.js';
import {
  BulkRead,
  type ChildrenAnswer,
  ChildrenRequest,
  type DataAnswer,
  DataRequests,
  multiReadType,
  setWatchesType,
} from './transportRequests.js';

const int = (...values: readonly number[]): Buffer => {
  const bytes = Buffer.alloc(4 * values.length);
  values.forEach((value, index) => bytes.writeInt32BE(value, 4 * index));
  return bytes;
};
const text = (value: string): Buffer => Buffer.concat([int(Buffer.byteLength(value)), Buffer.from(value)]);
const framed = (...parts: readonly Buffer[]): Buffer => {
  const body = Buffer.concat(parts);
  return Buffer.concat([int(body.length), body]);
};
const none = (): void => undefined;
const paths = ['/s/\u00e9', '/', '/s'] as const;

describe('DataRequests', () => {
  it('are length, number, type, path and watch of each', () => {
    const reserved: number[] = [];
    const requests = new DataRequests(paths, true, (numbers) => reserved.push(numbers), none);
    requests.header.xid = 7;
    const frames = paths.map((path, index) => framed(int(7 + index, getDataType), text(path), Buffer.of(1)));
    expect(requests.toBuffer()).toEqual(Buffer.concat(frames));
    expect(reserved).toEqual([2]);
    const single = new DataRequests(['/'], false, none, none).toBuffer();
    expect(single).toEqual(framed(int(0, getDataType), text('/'), Buffer.of(0)));
  });

  it('take their answers one after the other, refusals among them', () => {
    const answers: [number, DataAnswer][] = [];
    const requests = new DataRequests(['/a', '/b'], true, none, (...answer) => answers.push(answer));
    requests.header.xid = 7;
    expect(requests.refuse(-101)).toBe(false);
    expect(requests.header).toEqual({ xid: 8, type: getDataType });
    const frame = Buffer.concat([Buffer.alloc(replyHeaderEnd), text('b'), Buffer.alloc(68)]);
    expect(requests.receive(frame)).toBe(true);
    expect(answers[0]).toEqual([0, -101]);
    expect(answers[1]).toMatchObject([1, { data: Buffer.from('b') }]);
  });
});

describe('ChildrenRequest', () => {
  const answersTo = (take: (request: ChildrenRequest) => boolean): readonly ChildrenAnswer[] => {
    const answers: ChildrenAnswer[] = [];
    expect(take(new ChildrenRequest('/s', true, (answer) => answers.push(answer)))).toBe(true);
    return answers;
  };
  const head = Buffer.alloc(replyHeaderEnd);

  it('is length, number, type, path and watch', () => {
    const request = new ChildrenRequest('/s/\u00e9', true, none);
    request.header.xid = 7;
    expect(request.toBuffer()).toEqual(framed(int(7, getChildrenType), text('/s/\u00e9'), Buffer.of(1)));
  });

  it.each([
    ['names', [int(3), text('a'), text(''), text('\u00e9')], ['a', '', '\u00e9']],
    ['no names', [int(0)], []],
    ['no list', [int(-1)], []],
    ['a name that is none', [int(2), int(-1), text('b')], ['', 'b']],
  ])('takes %s, and the stat behind them', (_what, list, children) => {
    const stat = Buffer.alloc(68);
    stat.writeBigInt64BE(5n, 60);
    const frame = Buffer.concat([head, ...list, stat]);
    expect(answersTo((request) => request.receive(frame))).toMatchObject([{ children, stat: { pzxid: 5n } }]);
  });

  it('takes a refusal', () => {
    expect(answersTo((request) => request.refuse(-101))).toEqual([-101]);
  });
});

describe('BulkRead', () => {
  const part = (type: number, isEnd: boolean): Buffer =>
    Buffer.concat([int(type), Buffer.of(isEnd ? 1 : 0), int(-1)]);
  const head = Buffer.alloc(replyHeaderEnd);
  const data = (value: string): Buffer =>
    Buffer.concat([part(getDataType, false), text(value), Buffer.alloc(68)]);
  const refusal = (code: number): Buffer => Buffer.concat([part(-1, false), int(code)]);
  const end = part(-1, true);

  function sent(wanted: readonly (typeof paths)[number][] = paths) {
    const got: (readonly DataAnswer[] | number)[] = [];
    const request = new BulkRead(wanted, none, (answers) => got.push(answers));
    request.header.xid = 7;
    return { request, got };
  }

  it('asks for the watches, then for all the data', () => {
    const reserved: number[] = [];
    const request = new BulkRead(paths, (numbers) => reserved.push(numbers), none);
    request.header.xid = 7;
    const newest = Buffer.alloc(8, 0xff);
    newest[0] = 0x7f;
    const watches = framed(int(7, setWatchesType), newest, int(3), ...paths.map(text), int(0, 0));
    const reads = paths.flatMap((path) => [part(getDataType, false), text(path), Buffer.of(0)]);
    expect(request.toBuffer()).toEqual(
      Buffer.concat([watches, framed(int(8, multiReadType), ...reads, end)]),
    );
    expect(reserved).toEqual([1]);
  });

  it('takes what each node answers, data or a refusal', () => {
    const { request, got } = sent();
    expect(request.receive(head)).toBe(false);
    expect(request.header).toEqual({ xid: 8, type: multiReadType });
    expect(request.receive(Buffer.concat([head, data('a'), refusal(-101), data(''), end]))).toBe(true);
    expect(got).toMatchObject([[{ data: Buffer.from('a') }, -101, { data: Buffer.alloc(0) }]]);
  });

  it('is refused as a whole when either request is', () => {
    const unknown = sent();
    unknown.request.receive(head);
    expect(unknown.request.refuse(-6)).toBe(true);
    expect(unknown.got).toEqual([-6]);
    const unwatched = sent();
    expect(unwatched.request.refuse(-118)).toBe(false);
    expect(unwatched.request.receive(Buffer.concat([head, data('a'), end]))).toBe(true);
    expect(unwatched.got).toEqual([-118]);
  });

  it.each([
    ['no end', [data('a'), data('b'), data('c')]],
    ['too few answers', [data('a'), end]],
    ['too many', [data('a'), data('b'), data('c'), data('d'), end]],
    ['an answer cut short', [data('a').subarray(0, 40)]],
    ['an answer of another kind', [part(5, false), Buffer.alloc(68), end]],
    ['nothing', []],
  ])('throws on %s', (_what, parts) => {
    const { request, got } = sent();
    request.receive(head);
    expect(() => request.receive(Buffer.concat([head, ...parts]))).toThrow(ProtocolError);
    expect(got).toEqual([]);
  });
});
