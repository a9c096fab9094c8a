// pg's client alone: its main module loads a pool as well, which a check has no use for.
declare module 'pg/lib/client.js' {
  import { Client } from 'pg';

  export default Client;
}
