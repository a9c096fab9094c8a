export { BadUsage, connect, type Connection, reader } from './connect.js';
export { age, cut, plainText, table } from './table.js';
export { type LintReport, reportLint } from './lintReport.js';
