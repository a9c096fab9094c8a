#!/usr/bin/env node
// CommonJS (package.json beside this), which Node.js starts sooner. start.cjs catches SIGHUP before anything else.
const { join } = require('node:path');
const { startBundle } = require('../dist/start.cjs');

startBundle(join(__dirname, '../dist/synapse.cjs'));
