import { describe, expect, it } from 'vitest';
import { selectLines, sortLines } from './keywords.js';

const none = { frontend: [], backend: [], listen: [] };

describe('sortLines', () => {
  it("puts lines of listen wherever they are allowed, after the section's own", () => {
    const block = {
      frontend: ['maxconn 9'],
      backend: ['balance leastconn'],
      listen: ['mode tcp', 'timeout client 1h', 'timeout server 1h', 'Option   TCPlog'],
    };
    expect(sortLines(block, 'ruby')).toEqual({
      frontend: ['maxconn 9', 'mode tcp', 'timeout client 1h', 'Option   TCPlog'],
      backend: ['balance leastconn', 'mode tcp', 'timeout server 1h', 'Option   TCPlog'],
      warnings: [],
    });
  });

  it('drops what the section cannot have, and says so', () => {
    const block = { frontend: ['balance source', 'bogus'], backend: ['bind *:80'], listen: ['bogus too'] };
    expect(sortLines(block, 'modern')).toEqual({
      frontend: [],
      backend: [],
      warnings: [
        "frontend: 'balance source': not a keyword of such a section, dropped",
        "frontend: 'bogus': not a keyword of such a section, dropped",
        "backend: 'bind *:80': not a keyword of such a section, dropped",
        "listen: 'bogus too': not a keyword of such a section, dropped",
      ],
    });
  });

  it("accepts keywords younger than Ruby's list only when asked (trap 16)", () => {
    const listen = [
      'retry-on all-retryable-errors',
      'http-check send meth GET',
      'option httpslog',
      'stick-table type ip size 1k',
    ];
    const ruby = sortLines({ ...none, listen }, 'ruby');
    expect(ruby.backend).toEqual(['stick-table type ip size 1k']);
    expect(ruby.warnings).toHaveLength(3);
    expect(ruby.warnings[0]).toContain('`section_keywords: modern` accepts it');
    expect(sortLines({ ...none, listen }, 'modern')).toEqual({
      frontend: ['option httpslog'],
      backend: ['retry-on all-retryable-errors', 'http-check send meth GET', 'stick-table type ip size 1k'],
      warnings: [],
    });
    expect(selectLines('frontend', ['stick-table type ip size 1k'], 'modern').lines).toHaveLength(1);
  });

  it('keeps lines that HAProxy no longer accepts, with what to write instead (trap 17)', () => {
    const { backend, warnings } = sortLines({ ...none, backend: ['option forceclose'] }, 'ruby');
    expect(backend).toEqual(['option forceclose']);
    expect(warnings).toEqual([
      "backend: 'option forceclose': HAProxy 2.1 and later refuse it; write instead: option httpclose",
    ]);
  });
});
