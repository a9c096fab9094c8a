#!/usr/bin/env node
// First of all, and alone: the rest takes a while to load, and a SIGHUP meanwhile would end the process.
import '@smartstack/agent/hangups';

await import('../dist/main.js');
