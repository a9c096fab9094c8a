/** Which kinds of section a line may go to. */
export type SectionKind = 'frontend' | 'backend';

function list(text: string): readonly string[] {
  return text.split('|').map((entry) => entry.trim());
}

/** `option x` and `no option x` for each word. */
function optionsOf(text: string): readonly string[] {
  return text
    .trim()
    .split(/\s+/)
    .flatMap((word) => [`option ${word}`, `no option ${word}`]);
}

/** HAProxy 1.6 keywords that Ruby's synapse accepts in both kinds of section, as prefixes of a line. */
const rubyBoth = [
  ...list(`acl|bind-process|block|compression|description|disabled|email-alert from|email-alert level|
    email-alert mailers|email-alert myhostname|email-alert to|enabled|errorfile|errorloc|force-persist|grace|
    http-request|http-response|id|ignore-persist|log|mode|no log|redirect|reqadd|reqallow|reqdel|reqdeny|
    reqiallow|reqidel|reqideny|reqipass|reqirep|reqisetbe|reqitarpit|reqpass|reqrep|reqsetbe|reqtarpit|rspadd|
    rspdel|rspdeny|rspidel|rspideny|rspirep|rsprep|stats admin|stats auth|stats enable|stats hide-version|
    stats http-request|stats realm|stats refresh|stats scope|stats show-desc|stats show-legends|
    stats show-node|stats uri|tcp-request content|tcp-request inspect-delay|timeout http-keep-alive|
    timeout http-request|timeout tarpit`),
  ...optionsOf(`forceclose forwardfor http-buffer-request http-keep-alive http-no-delay http-pretend-keepalive
    http-server-close http-tunnel httpclose httplog http_proxy independent-streams nolinger originalto
    splice-auto splice-request splice-response tcpka tcplog`),
];

/** The same, where it accepts them in backends only. */
const rubyBackend = [
  ...list(`appsession|balance|contimeout|cookie|default-server|dispatch|fullconn|hash-type|
    http-check disable-on-404|http-check expect|http-check send-state|http-send-name-header|http-reuse|
    load-server-state-from-file|max-keep-alive-queue|external-check command|external-check path|
    persist rdp-cookie|redisp|retries|server|source|srvtimeout|stick match|stick on|stick store-request|
    stick store-response|stick-table|tcp-check connect|tcp-check expect|tcp-check send|tcp-response content|
    tcp-response inspect-delay|timeout check|timeout connect|timeout contimeout|timeout queue|
    timeout server|timeout srvtimeout|timeout tunnel|transparent|use-server`),
  ...optionsOf(`abortonclose accept-invalid-http-response allbackups allredisp checkcache httpchk lb-agent-chk
    ldap-check external-check log-health-checks mysql-check pgsql-check persist prefer-last-server redispatch
    redis-check smtpchk srvtcpka ssl-hello-chk tcp-check tcp-smart-connect transparent`),
];

/** The same, where it accepts them in frontends only. */
const rubyFrontend = [
  ...list(`backlog|bind|capture cookie|capture request header|capture response header|clitimeout|
    declare capture|default_backend|maxconn|monitor fail|monitor-net|monitor-uri|rate-limit sessions|
    tcp-request connection|timeout client|timeout clitimeout|unique-id-format|unique-id-header|use_backend`),
  ...optionsOf(`accept-invalid-http-request clitcpka contstats dontlog-normal dontlognull http-ignore-probes
    http-use-proxy-header log-separate-errors logasap socket-stats tcp-smart-accept`),
];

/**
 * Keywords of HAProxy 2.6 that Ruby's list lacks, from the keyword matrix of its manual, and later names of those that
 * were renamed (3.x deprecates `accept-invalid-http-*`).
 */
const modernBoth = [
  ...list('filter|http-after-response|http-error'),
  ...optionsOf('http-restrict-req-hdr-names'),
];
const modernBackend = [
  ...list(`dynamic-cookie-key|hash-balance-factor|http-check comment|http-check connect|http-check send|
    http-check set-var|http-check unset-var|retry-on|srvtcpka-cnt|srvtcpka-idle|srvtcpka-intvl|
    tcp-check comment|tcp-check set-var|tcp-check unset-var|use-fcgi-app`),
  ...optionsOf('accept-unsafe-violations-in-http-response h1-case-adjust-bogus-server spop-check'),
];
const modernFrontend = [
  ...list('clitcpka-cnt|clitcpka-idle|clitcpka-intvl|error-log-format|tcp-request session'),
  ...optionsOf(`accept-unsafe-violations-in-http-request disable-h2-upgrade h1-case-adjust-bogus-client httpslog
    idle-close-on-response`),
];

/** Prefixes of the lines that Ruby's synapse accepts. */
export const rubyKeywords: Readonly<Record<SectionKind, readonly string[]>> = {
  frontend: [...rubyBoth, ...rubyFrontend],
  backend: [...rubyBoth, ...rubyBackend],
};

/** Prefixes of the lines that HAProxy 2.6 accepts and Ruby's synapse drops. */
export const modernKeywords: Readonly<Record<SectionKind, readonly string[]>> = {
  frontend: [...modernBoth, ...modernFrontend],
  backend: [...modernBoth, ...modernBackend],
};

/**
 * Lines that a frontend may have but that `listen` does not pass on to it: a table is named after its
 * section, and HAProxy refuses two tables of one name.
 */
export const modernFrontendOnlyWhenAsked: readonly string[] = ['stick-table'];

/** What HAProxy 2.1 and later refuse, and what to write instead. */
export const retiredKeywords: readonly (readonly [prefix: string, advice: string])[] = [
  ['option forceclose', 'option httpclose'],
  ['option http-tunnel', 'nothing: HAProxy tunnels after an upgrade by itself'],
  ['appsession', 'stick on with a stick-table'],
  ['block', 'http-request deny'],
  ['redisp', 'option redispatch'],
  ['clitimeout', 'timeout client'],
  ['contimeout', 'timeout connect'],
  ['srvtimeout', 'timeout server'],
  ['timeout clitimeout', 'timeout client'],
  ['timeout contimeout', 'timeout connect'],
  ['timeout srvtimeout', 'timeout server'],
  ['reqadd', 'http-request add-header'],
  ['reqirep', 'http-request replace-header or replace-path'],
  ['reqrep', 'http-request replace-header or replace-path'],
  ['reqidel', 'http-request del-header'],
  ['reqdel', 'http-request del-header'],
  ['reqitarpit', 'http-request tarpit'],
  ['reqtarpit', 'http-request tarpit'],
  ['reqideny', 'http-request deny'],
  ['reqdeny', 'http-request deny'],
  ['reqiallow', 'http-request allow'],
  ['reqallow', 'http-request allow'],
  ['reqipass', 'http-request rules'],
  ['reqpass', 'http-request rules'],
  ['reqisetbe', 'use_backend'],
  ['reqsetbe', 'use_backend'],
  ['rspadd', 'http-response add-header'],
  ['rspirep', 'http-response replace-header'],
  ['rsprep', 'http-response replace-header'],
  ['rspidel', 'http-response del-header'],
  ['rspdel', 'http-response del-header'],
  ['rspideny', 'http-response deny'],
  ['rspdeny', 'http-response deny'],
];

/**
 * What later versions of HAProxy refuse, from which on, and what to write instead: by what they say themselves of such
 * a line (the list of removed keywords in `cfgparse-listen.c` of 3.5, and the messages of 2.6).
 */
export const laterRetiredKeywords: readonly (readonly [prefix: string, since: string, advice: string])[] = [
  ['option http_proxy', '2.5', 'http-request set-dst and set-uri'],
  ['grace', '2.5', 'nothing: a frontend cannot wait before it stops any more'],
  ['monitor-net', '2.6', 'http-request return status 200 if { src NETWORK }'],
  ['bind-process', '2.7', 'nothing: it has no effect in 2.6 either'],
  ['dispatch', '3.5', 'a server with that address'],
  ['transparent', '3.5', 'a server with the address 0.0.0.0'],
];
