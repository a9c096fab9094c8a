import { describe, expect, it } from 'vitest';
import { readColumns, readRow } from './statTable.js';

/** As HAProxy 2.6.12 answers `show stat -1 7 -1`; the columns behind those that are read are left out. */
const header =
  '# pxname,svname,qcur,qmax,scur,smax,slim,stot,bin,bout,dreq,dresp,ereq,econ,eresp,wretr,wredis,status,weight,act,bck,chkfail,chkdown,lastchg,downtime,qlimit,pid,iid,sid,throttle,lbtot,tracked,type,rate,rate_lim,rate_max,check_status,check_code,check_duration,hrsp_1xx,hrsp_2xx,hrsp_3xx,hrsp_4xx,hrsp_5xx,hrsp_other,hanafail,req_rate,req_rate_max,req_tot,cli_abrt,srv_abrt,comp_in,comp_out,comp_byp,comp_rsp,lastsess,last_chk,';
const frontend =
  'web,FRONTEND,,,1,2,9979,3,187,213,0,0,4,,,,,OPEN,,,,,,,,,1,2,0,,,,0,0,0,2,,,,0,2,0,0,1,0,,0,2,3,,,0,0,0,0,,,';
const server =
  'web,BACKEND,0,0,1,1,,3,187,213,,0,,5,6,7,8,no check,1,1,0,,,3,,,1,3,9,,3,,2,0,,2,,,,0,2,0,0,1,0,,,,3,10,0,,,,,0,"a, ""b""",';
const tcp =
  't,BACKEND,0,0,4,5,998,6,7,8,0,0,,0,0,0,0,UP,1,1,0,,0,3,0,,1,4,0,,0,,1,0,,0,,,,,,,,,,,,,,0,0,0,0,0,0,-1,,';

const columns = readColumns(header)!;

describe('show stat', () => {
  it('is read by the names of its columns, empty ones as 0', () => {
    expect(readRow(frontend, columns)).toMatchObject({
      kind: 'frontend',
      key: 'frontend web/',
      http: true,
      open: 1,
      counts: { stot: 3, bin: 187, bout: 213, ereq: 4, econ: 0, hrsp_2xx: 2, hrsp_5xx: 1, cli_abrt: 0 },
    });
    expect(readRow(tcp, columns)).toMatchObject({
      kind: 'backend',
      http: false,
      open: 4,
      counts: { stot: 6 },
    });
  });

  it('knows a server by its type, whatever its name, and its text behind', () => {
    expect(readRow(server, columns)).toMatchObject({
      kind: 'server',
      key: 'server web/BACKEND',
      id: 9,
      isDown: false,
      counts: { econ: 5, eresp: 6, wretr: 7, wredis: 8, cli_abrt: 10 },
    });
    for (const [status, isDown] of [
      ...[
        ['UP', false],
        ['UP 1/3', false],
        ['DOWN', true],
        ['DOWN 1/2', true],
        ['MAINT', false],
      ],
    ] as const)
      expect(readRow(server.replace('no check', status), columns)).toMatchObject({ isDown });
  });

  it('leaves listeners out', () => {
    expect(readRow(frontend.replace(',,,,0,0,0,2,,,,', ',,,,3,0,0,2,,,,'), columns)).toBeUndefined();
  });

  it.each([
    ['cut', frontend.slice(0, 60)],
    ['garbage', 'Permission denied'],
    ['no number', frontend.replace(',3,187,', ',x,187,')],
    ['negative', frontend.replace(',3,187,', ',-3,187,')],
  ])('refuses a row that is %s', (_, line) => {
    expect(readRow(line, columns)).toBe('malformed');
  });

  it('refuses a table that lacks a column, or is none', () => {
    expect(readColumns(header.replace(',wredis', ''))).toBeUndefined();
    expect(readColumns('Permission denied')).toBeUndefined();
    expect(readColumns('')).toBeUndefined();
  });
});
